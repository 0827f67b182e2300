import { afterEach, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { FakeClock, type Clock } from '../../../src/base/clock.ts';
import { parseVia } from '../../../src/protocol/sip/headers.ts';
import type { SipMessage } from '../../../src/protocol/sip/message.ts';
import { looksLikeStun } from '../../../src/protocol/stun/index.ts';
import { accepting, createEdgeClient, outbound, requestTo, type EdgeClient } from '../../support/edge-client.ts';
import { settled } from '../../support/sip-client.ts';

const started: EdgeClient[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map(({ userAgent }) => userAgent.stop()));
});

async function registered(more: Record<string, string> = {}): Promise<EdgeClient> {
  const client = createEdgeClient('udp', { target: { host: '198.51.100.1', protocol: 'udp' } });
  started.push(client);
  client.first.onRequest = accepting(more);
  await client.userAgent.register();
  return client;
}

const text = (octets: number) => ({
  to: 'sip:bob@lab.test',
  contentType: 'text/plain',
  body: utf8('x'.repeat(octets)),
});
const transportOf = (message: SipMessage): string => parseVia(message.headers.get('Via') ?? '').transport;

describe('a request over UDP', () => {
  it('is repeated when it is lost, and the answer is taken once', async () => {
    const { userAgent, first, pass } = await registered();
    let lost = 0;
    first.loses = (_, towards) => towards === 'edge' && lost++ < 2;
    const reply = userAgent.sendMessage(text(5));
    await settled();
    expect(first.count('MESSAGE')).toBe(0);
    await pass(1_500);
    await expect(reply).resolves.toMatchObject({ status: 200 });
    expect(first.count('MESSAGE')).toBe(1);
    expect(transportOf(first.last('MESSAGE').message)).toBe('UDP');
    expect(userAgent.flow).toEqual({ protocol: 'udp', localAddress: '192.0.2.10' });
  });

  it('is repeated when its answer is lost', async () => {
    const { userAgent, first, pass } = await registered();
    let lost = 0;
    first.loses = (_, towards) => towards === 'client' && lost++ < 1;
    const reply = userAgent.sendMessage(text(5));
    await pass(500);
    await expect(reply).resolves.toMatchObject({ status: 200 });
    expect(first.count('MESSAGE')).toBe(2);
  });

  it('is given up after 32 s, and nothing is repeated any more', async () => {
    const { userAgent, first, pass } = await registered();
    first.loses = (bytes) => !looksLikeStun(bytes);
    const reply = userAgent.sendMessage(text(5));
    await pass(35_000);
    await expect(reply).resolves.toMatchObject({ status: 408, local: 'timeout' });
    first.loses = () => false;
    await pass(10_000);
    expect(first.count('MESSAGE')).toBe(0);
  });
});

describe('a long request', () => {
  it('leaves over TCP to the same server, and its answer comes back there', async () => {
    const { userAgent, first } = await registered();
    await expect(userAgent.sendMessage(text(1_300))).resolves.toMatchObject({ status: 200 });
    const { message, protocol } = first.last('MESSAGE');
    expect([protocol, transportOf(message)]).toEqual(['tcp', 'TCP']);
    await expect(userAgent.sendMessage(text(10))).resolves.toMatchObject({ status: 200 });
    expect(first.last('MESSAGE').protocol).toBe('udp');
    // One connection serves them all.
    await userAgent.sendMessage(text(5_000));
    expect([...first.open].map(({ protocol: kind }) => kind).sort()).toEqual(['tcp', 'udp']);
  });

  it('leaves over UDP all the same when it registers that flow', async () => {
    const client = createEdgeClient('udp', {
      target: { host: '198.51.100.1', protocol: 'udp' },
      displayName: 'A'.repeat(1_400),
    });
    started.push(client);
    client.first.onRequest = accepting();
    await expect(client.userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect(client.first.last('REGISTER').protocol).toBe('udp');
  });

  it('leaves as a datagram where the server takes no TCP', async () => {
    const { userAgent, first } = await registered();
    first.protocols = ['udp'];
    await expect(userAgent.sendMessage(text(10_000))).resolves.toMatchObject({ status: 200 });
    expect(first.last('MESSAGE').protocol).toBe('udp');
  });

  it('fails with the reason where neither can carry it', async () => {
    const { userAgent, first } = await registered();
    first.protocols = ['udp'];
    const reply = await userAgent.sendMessage(text(65_500));
    expect(reply).toMatchObject({ status: 513, local: 'not-sent', unsent: true });
    expect(first.count('MESSAGE')).toBe(0);
  });

  it('is uncertain when the connection breaks before its answer, and the flow goes on', async () => {
    const { userAgent, first } = await registered();
    first.onRequest = () => undefined;
    const reply = userAgent.sendMessage(text(2_000));
    await settled();
    const stream = [...first.open].find(({ protocol }) => protocol === 'tcp');
    stream?.break(new Error('reset by peer'));
    const answer = await reply;
    expect(answer).toMatchObject({ status: 503, local: 'connection-lost' });
    expect(answer.unsent).toBeUndefined();
    expect(userAgent.registration.state).toBe('registered');
    first.onRequest = accepting();
  });
});

describe('a request that comes over UDP', () => {
  it('is told once and answered each time', async () => {
    const { first, incoming } = await registered();
    const request = requestTo(first, 'MESSAGE');
    first.send(request);
    first.send(request);
    expect(incoming).toHaveLength(1);
    incoming[0]!.respond(200);
    await settled();
    expect(first.responses).toHaveLength(1);
    first.send(request);
    await settled();
    expect(first.responses.map(({ status }) => status)).toEqual([200, 200]);
    expect(incoming[0]).toMatchObject({ callId: request.headers.get('Call-ID'), flow: { protocol: 'udp' } });
  });

  it('is answered 503 in a flood, with nothing remembered of it', async () => {
    const { first, incoming } = await registered();
    for (let count = 0; count < 500; count++) first.send(requestTo(first, 'MESSAGE'));
    await settled();
    expect(incoming).toHaveLength(64);
    const refused = first.responses.filter(({ status }) => status === 503);
    expect(refused).toHaveLength(500 - 64);
    expect(refused.every(({ headers }) => headers.has('Retry-After'))).toBe(true);
    for (const message of incoming) message.respond(200);
    first.send(requestTo(first, 'MESSAGE'));
    expect(incoming).toHaveLength(65);
  });

  it.each([
    ['a header line that is none', '<\r\n', 400],
    ['too many header fields', 'X: 1\r\n'.repeat(300), 413],
    ['a body shorter than it says', 'Content-Length: 99\r\n', 400],
    ['a body longer than a MESSAGE may have', 'Content-Length: 66000\r\n', 400],
  ])('is refused for %s', async (_, lines, status) => {
    const { first, incoming } = await registered();
    const fields = requestTo(first, 'MESSAGE').headers.fields.map(({ name, value }) => `${name}: ${value}\r\n`);
    first.newest().deliver(utf8(`MESSAGE ${first.contactUri()} SIP/2.0\r\n${fields.join('')}${lines}\r\nhello`));
    await settled();
    expect(incoming).toHaveLength(0);
    expect(first.responses.map((response) => response.status)).toEqual([status]);
  });

  it('survives what is no SIP at all', async () => {
    const { first, userAgent } = await registered();
    for (const octets of [
      [],
      [0],
      [0, 0, 0, 0],
      [13, 10, 13, 10],
      [255, 254],
      Array.from({ length: 2_000 }, () => 65),
    ]) {
      first.newest().deliver(Uint8Array.from(octets));
    }
    await expect(userAgent.sendMessage(text(3))).resolves.toMatchObject({ status: 200 });
  });
});

describe('keep-alive by STUN', () => {
  it('is sent every 24 to 29 s, and a flow seen at another address is made anew', async () => {
    const { first, userAgent, pass, states } = await registered(outbound);
    await pass(125_000, 400);
    expect(first.pings).toBeGreaterThanOrEqual(5);
    expect(first.pings).toBeLessThanOrEqual(7);
    expect(states).toHaveLength(2);
    first.mappedPort = 41_000;
    await pass(40_000, 400);
    expect(states.map(({ state }) => state)).toEqual([
      'registering',
      'registered',
      'failed',
      'registering',
      'registered',
    ]);
    expect(userAgent.registration.state).toBe('registered');
  });

  it('finds a server dead that answered before', async () => {
    const { first, states, pass } = await registered(outbound);
    await pass(30_000);
    first.answersPings = false;
    await pass(75_000);
    expect(states.find(({ state }) => state === 'failed')).toMatchObject({ code: 'connection-lost', willRetry: true });
  });

  it('holds no server to it that never answered', async () => {
    const client = await registered();
    client.first.answersPings = false;
    await client.pass(200_000);
    expect(client.userAgent.registration.state).toBe('registered');
  });
});

it('unregisters over UDP and has no timer left', async () => {
  const { userAgent, first, clock } = await registered();
  await userAgent.stop();
  expect(first.last('REGISTER').message.headers.get('Contact')).toMatch(/expires=0$/);
  clock.advance(60_000);
  expect(first.open.size).toBe(0);
  expect(clock.waiting).toBe(0);
});

it('goes on with what it repeats when somebody sets the clock of the machine back', async () => {
  const time = new FakeClock();
  let setBack = 0;
  const clock: Clock = { now: () => time.now() - setBack, after: (...timer) => time.after(...timer) };
  const target = { host: '198.51.100.1', protocol: 'udp' } as const;
  const client = createEdgeClient('udp', { target }, { clock });
  const { userAgent, first } = client;
  first.onRequest = accepting();
  await userAgent.register();
  let isLost = true;
  first.loses = (_, towards) => towards === 'edge' && isLost;
  const reply = userAgent.sendMessage(text(5));
  await settled();
  setBack = 24 * 3_600_000;
  time.advance(500);
  await settled();
  isLost = false;
  for (let turn = 0; turn < 4; turn++) {
    time.advance(1_000);
    await settled();
  }
  await expect(reply).resolves.toMatchObject({ status: 200 });
  expect(first.count('MESSAGE')).toBe(1);
  await userAgent.stop();
});
