import { afterEach, describe, expect, it } from 'vitest';
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import type { SipAccount } from '../../../src/engine/sip/index.ts';
import { accepting, createEdgeClient, outbound, requestTo, type EdgeClient } from '../../support/edge-client.ts';
import { settled } from '../../support/sip-client.ts';

const started: EdgeClient[] = [];
afterEach(async () => {
  for (const { first, second } of started) for (const edge of [first, second]) edge.onRequest = accepting(outbound);
  for (const { userAgent, pass } of started.splice(0)) await Promise.all([userAgent.stop(), pass(5_000)]);
});

function client(...args: Parameters<typeof createEdgeClient>): EdgeClient {
  const created = createEdgeClient(...args);
  started.push(created);
  return created;
}

/** A network that keeps flows, with the client on both edges. */
async function onBoth(account: Partial<SipAccount> = {}): Promise<EdgeClient> {
  const created = client('tcp', account);
  for (const edge of [created.first, created.second]) edge.onRequest = accepting(outbound);
  await created.userAgent.register();
  await settled();
  return created;
}

const message = { to: 'sip:bob@lab.test', contentType: 'text/plain', body: utf8('hello') };
const contactOf = (edge: EdgeClient['first']): string => edge.last('REGISTER').message.headers.get('Contact') ?? '';
const instance = /\+sip\.instance="<urn:uuid:([0-9a-f-]{36})>"/;

describe('two flows', () => {
  it('are there when the network keeps flows: to two places, one instance, a reg-id each', async () => {
    const { userAgent, first, second } = await onBoth();
    const [one, two] = [contactOf(first), contactOf(second)];
    expect([/;reg-id=(\d)/.exec(one)?.[1], /;reg-id=(\d)/.exec(two)?.[1]]).toEqual(['1', '2']);
    expect(instance.exec(one)?.[1]).toBe(instance.exec(two)?.[1]);
    const [a, b] = [first, second].map((edge) => edge.last('REGISTER').message.headers);
    expect(a?.get('Call-ID')).not.toBe(b?.get('Call-ID'));
    expect(a?.getAll('Supported')).toEqual(['path, sec-agree, outbound, gruu']);
    expect(userAgent.flows).toMatchObject([
      { regId: 1, registration: { state: 'registered' }, flow: { protocol: 'tcp' } },
      { regId: 2, registration: { state: 'registered' } },
    ]);
  });

  it('are not asked of a network that keeps none', async () => {
    const { userAgent, first, second } = client();
    first.onRequest = accepting();
    await userAgent.register();
    await settled();
    expect(second.requests).toHaveLength(0);
    expect(userAgent.flows).toHaveLength(1);
  });

  it('lead to the second server of the account where it has one', async () => {
    const { first, second, userAgent } = await onBoth({
      target: { host: '198.51.100.1', protocol: 'tcp' },
      secondTarget: { host: '198.51.100.2', protocol: 'tcp' },
    });
    expect([first.count('REGISTER'), second.count('REGISTER')]).toEqual([1, 1]);
    await userAgent.unregister();
    expect([contactOf(first), contactOf(second)].every((contact) => contact.endsWith('expires=0'))).toBe(true);
    expect(userAgent.registration).toEqual({ state: 'unregistered' });
  });

  it('is not asked of the second server what the first refuses for good', async () => {
    const { first, second, userAgent } = client('tcp', {
      target: { host: '198.51.100.1', protocol: 'tcp' },
      secondTarget: { host: '198.51.100.2', protocol: 'tcp' },
    });
    first.onRequest = ({ reply }) => reply(403);
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'failed', code: 'refused', willRetry: false });
    expect(second.requests).toHaveLength(0);
  });

  it('is one where the server has one place only', async () => {
    const { first, second, userAgent, network } = client('tcp', { target: { host: '198.51.100.1', protocol: 'tcp' } });
    first.onRequest = accepting(outbound);
    await userAgent.register();
    await settled();
    expect(userAgent.flows).toHaveLength(1);
    expect(second.requests).toHaveLength(0);
    expect(network.looked).toBeGreaterThan(1);
  });

  it('end with the registration of the account, and with it', async () => {
    const { first, second, userAgent, clock } = await onBoth();
    await userAgent.stop();
    expect([contactOf(first), contactOf(second)].every((contact) => contact.endsWith('expires=0'))).toBe(true);
    expect([first.open.size, second.open.size]).toEqual([0, 0]);
    clock.advance(4_000_000);
    expect(clock.waiting).toBe(0);
  });
});

describe('when a flow breaks', () => {
  it('requests leave over the other one, and the account stays registered', async () => {
    const { first, second, userAgent, states } = await onBoth();
    first.kill();
    expect(userAgent.registration.state).toBe('registered');
    expect(states.some(({ state }) => state === 'failed')).toBe(false);
    await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status: 200 });
    expect([first.count('MESSAGE'), second.count('MESSAGE')]).toEqual([0, 1]);
    expect(userAgent.flows[0]?.registration).toMatchObject({ state: 'failed', willRetry: true });
  });

  it('a message without answer is uncertain: it is not sent again by itself', async () => {
    const { first, second, userAgent } = await onBoth();
    first.onRequest = () => undefined;
    const reply = userAgent.sendMessage(message);
    await settled();
    first.kill();
    const answer = await reply;
    expect(answer).toMatchObject({ status: 503, local: 'connection-lost' });
    expect(answer.unsent).toBeUndefined();
    expect([first.count('MESSAGE'), second.count('MESSAGE')]).toEqual([1, 0]);
  });

  it('it comes back to the same place by the back-off of RFC 5626, with its reg-id', async () => {
    const { first, userAgent, clock, pass } = await onBoth();
    first.kill();
    const before = clock.now();
    await pass(1_000);
    // The first try, at once, failed; another one follows after 90 to 180 s, as the other flow works.
    first.isDown = false;
    while (first.count('REGISTER') === 1 && clock.now() < before + 600_000) await pass(2_500);
    expect(clock.now() - before).toBeGreaterThan(90_000);
    expect(clock.now() - before).toBeLessThan(185_000);
    await settled();
    expect(contactOf(first)).toContain(';reg-id=1;');
    await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status: 200 });
    expect(first.count('MESSAGE')).toBe(1);
  });

  it('and no other one works, it comes back sooner', async () => {
    const { first, second, userAgent, clock, pass, states } = await onBoth();
    first.kill();
    second.kill();
    expect(userAgent.registration).toMatchObject({ state: 'failed', willRetry: true });
    const before = clock.now();
    await pass(1_000);
    for (const edge of [first, second]) edge.isDown = false;
    while (userAgent.registration.state !== 'registered' && clock.now() < before + 600_000) await pass(2_500);
    expect(clock.now() - before).toBeGreaterThan(30_000);
    expect(clock.now() - before).toBeLessThan(65_000);
    expect(states.at(-1)?.state).toBe('registered');
  });

  it('as soon as it is registered, again and again, the pauses grow all the same', async () => {
    const { first, pass } = await onBoth();
    first.answersPings = false;
    const accept = first.onRequest;
    first.onRequest = (request) => {
      accept(request);
      if (request.message.method === 'REGISTER') first.newest().break(new Error('reset by peer'));
    };
    first.newest().break(new Error('reset by peer'));
    const before = first.count('REGISTER');
    await pass(600_000, 5_000);
    expect(first.count('REGISTER') - before).toBeGreaterThan(1);
    expect(first.count('REGISTER') - before).toBeLessThan(6);
  });

  it('pauses grow up to half an hour', async () => {
    const { first, second, clock, network, pass } = await onBoth();
    first.kill();
    second.kill();
    const connect = network.connect.bind(network);
    const tries: number[] = [];
    network.connect = (hop) => {
      if (hop.address === first.address) tries.push(clock.now());
      return connect(hop);
    };
    await pass(5 * 3_600_000, 20_000);
    const pauses = tries.slice(1).map((at, index) => (at - (tries[index] ?? 0)) / 1000);
    expect(Math.max(...pauses)).toBeLessThan(1_850);
    expect(pauses.slice(-2).every((pause) => pause > 300)).toBe(true);
    expect(tries.length).toBeLessThan(60);
  });
});

describe('the answer to a message', () => {
  /** Registered over one flow, which broke after a message came and is there again. */
  async function reconnected() {
    const created = client('tcp', { target: { host: '198.51.100.1', protocol: 'tcp' } });
    const { first, incoming, userAgent, pass } = created;
    first.onRequest = accepting();
    await userAgent.register();
    const request = requestTo(first, 'MESSAGE', { 'Call-ID': 'late', From: '<sip:bob@lab.test>;tag=late' });
    first.send(request);
    expect(incoming).toHaveLength(1);
    first.kill();
    first.isDown = false;
    await pass(5_000);
    expect([userAgent.registration.state, first.connections]).toEqual(['registered', 2]);
    return { ...created, request };
  }

  it('that came over a connection which is gone leaves over no other one', async () => {
    const { first, incoming } = await reconnected();
    incoming[0]!.respond(200);
    await settled();
    expect(first.responses).toEqual([]);
  });

  it('leaves over the new one where the message comes over it again', async () => {
    const { first, incoming, request } = await reconnected();
    first.send(request);
    incoming[0]!.respond(200);
    await settled();
    expect(incoming).toHaveLength(1);
    expect(first.responses.map(({ status }) => status)).toEqual([200]);
  });
});

describe('a message over both flows', () => {
  it('is told once, and both get the answer', async () => {
    const { first, second, incoming } = await onBoth();
    const copy = { 'Call-ID': 'one', From: '<sip:bob@lab.test>;tag=same' };
    first.send(requestTo(first, 'MESSAGE', copy));
    second.send(requestTo(second, 'MESSAGE', copy));
    expect(incoming).toHaveLength(1);
    incoming[0]!.respond(200);
    await settled();
    expect([first, second].map((edge) => edge.responses.map(({ status }) => status))).toEqual([[200], [200]]);
  });

  it('that comes again after it was answered gets the same answer', async () => {
    const { first, second, incoming } = await onBoth();
    const copy = { 'Call-ID': 'two', From: '<sip:bob@lab.test>;tag=same' };
    first.send(requestTo(first, 'MESSAGE', copy));
    incoming[0]!.respond(488);
    first.kill();
    second.send(requestTo(second, 'MESSAGE', copy));
    await settled();
    expect(incoming).toHaveLength(1);
    expect(second.responses.map(({ status }) => status)).toEqual([488]);
  });

  it('is another one when it says something else under the same Call-ID and CSeq', async () => {
    const { first, second, incoming } = await onBoth();
    const ids = { 'Call-ID': 'four', From: '<sip:bob@lab.test>;tag=same' };
    for (const [edge, text] of [
      [first, 'one thing'],
      [second, 'another'],
    ] as const) {
      const request = requestTo(edge, 'MESSAGE', ids);
      request.body = utf8(text);
      edge.send(request);
    }
    expect(incoming.map(({ body }) => fromUtf8(body))).toEqual(['one thing', 'another']);
  });

  it('is told again when the first was refused for lack of room', async () => {
    const { first, second, incoming } = await onBoth();
    const copy = { 'Call-ID': 'three', From: '<sip:bob@lab.test>;tag=same' };
    first.send(requestTo(first, 'MESSAGE', copy));
    incoming[0]!.respond(503);
    second.send(requestTo(second, 'MESSAGE', copy));
    expect(incoming).toHaveLength(2);
  });
});

it('trusts the asserted identity of the registered flow alone', async () => {
  const { first, incoming, userAgent } = await onBoth();
  const asserted = { 'P-Asserted-Identity': '<sip:carol@lab.test>' };
  first.send(requestTo(first, 'MESSAGE', asserted));
  await userAgent.unregister();
  first.send(requestTo(first, 'MESSAGE', asserted));
  expect(incoming.map(({ assertedIdentity }) => assertedIdentity)).toEqual(['sip:carol@lab.test', undefined]);
  expect(incoming.map(({ onRegisteredFlow }) => onRegisteredFlow)).toEqual([true, false]);
});

describe('other places of the server', () => {
  it('are tried when the first cannot be reached', async () => {
    const { first, second, userAgent } = client();
    first.isDown = true;
    second.onRequest = accepting();
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect(second.count('REGISTER')).toBe(1);
  });

  it('are tried when the first says nothing at all', async () => {
    const { network, first, second, userAgent, pass } = client();
    const connect = network.connect.bind(network);
    network.connect = (hop) => (hop.address === first.address ? new Promise(() => undefined) : connect(hop));
    second.onRequest = accepting();
    const state = userAgent.register();
    await settled();
    await pass(15_000);
    await expect(state).resolves.toMatchObject({ state: 'registered' });
    expect(second.count('REGISTER')).toBe(1);
  });

  it('are tried when the first answers 503', async () => {
    const { first, second, userAgent } = client();
    first.onRequest = ({ reply }) => reply(503, { 'Retry-After': '600' });
    second.onRequest = accepting();
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
    expect([first.count('REGISTER'), second.count('REGISTER')]).toEqual([1, 1]);
    expect(first.open.size).toBe(0);
  });

  it('are tried when the first does not answer', async () => {
    const { first, second, userAgent, pass } = client();
    second.onRequest = accepting();
    const state = userAgent.register();
    await settled();
    await pass(34_000);
    await expect(state).resolves.toMatchObject({ state: 'registered' });
    expect([first.count('REGISTER'), second.count('REGISTER')]).toEqual([1, 1]);
  });

  it('are each asked once, and then all rest', async () => {
    const { first, second, userAgent } = client();
    for (const edge of [first, second]) edge.onRequest = ({ reply }) => reply(503, { 'Retry-After': '600' });
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'failed', code: 'server-error', status: 503 });
    expect([first.count('REGISTER'), second.count('REGISTER')]).toEqual([1, 1]);
  });

  it('are not tried for a renewal that is refused for now: the flow stays', async () => {
    const { first, second, userAgent, pass } = client();
    first.onRequest = accepting();
    first.answersPings = false;
    await userAgent.register();
    first.onRequest = ({ reply }) => reply(503, { 'Retry-After': '600' });
    while (first.count('REGISTER') === 1) await pass(100_000, 100_000);
    expect(userAgent.registration).toMatchObject({ state: 'failed', code: 'server-error', willRetry: true });
    expect(second.requests).toHaveLength(0);
    expect(first.open.size).toBe(1);
  });
});

it('asks for no flow any more where the first hop cannot keep one', async () => {
  const { first, userAgent } = client();
  first.onRequest = (request) => {
    if (request.message.headers.get('Contact')?.includes('reg-id') === true) request.reply(439);
    else accepting()(request);
  };
  await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
  expect(contactOf(first)).not.toContain('reg-id');
});

describe('Flow-Timer', () => {
  it('sets how often the flow is kept alive', async () => {
    const { first, userAgent, pass } = client('tcp', { target: { host: '198.51.100.1', protocol: 'tcp' } });
    first.onRequest = accepting({ ...outbound, 'Flow-Timer': '20' });
    await userAgent.register();
    const before = first.pings;
    await pass(100_000);
    expect(first.pings - before).toBeGreaterThanOrEqual(5);
    expect(first.pings - before).toBeLessThanOrEqual(6);
  });

  it('is read although a widespread server ends it with a NUL', async () => {
    const { first, userAgent } = client('tcp', { target: { host: '198.51.100.1', protocol: 'tcp' } });
    first.onRequest = ({ message: request, answer, reply }) => {
      if (request.headers.get('Contact')?.endsWith('expires=0') === true) {
        reply(200);
        return;
      }
      const { fields } = answer(200, { ...outbound, Contact: request.headers.get('Contact') ?? '' }).headers;
      const lines = fields.map(({ name, value }) => `${name}: ${value}\r\n`);
      first.newest().deliver(utf8(`SIP/2.0 200 OK\r\n${lines.join('')}Flow-Timer: 20\r\0Content-Length: 0\r\n\r\n`));
    };
    await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
  });
});

describe('when the network of the machine changes', () => {
  it('a flow whose address is gone is made anew at once', async () => {
    const { first, network, userAgent, change, pass } = client();
    first.onRequest = accepting();
    await userAgent.register();
    network.localAddress = '192.0.2.77';
    change({ kind: 'addresses', present: ['127.0.0.1', '192.0.2.77'] });
    await settled();
    await pass(1_000);
    expect(userAgent.registration.state).toBe('registered');
    expect(contactOf(first)).toContain('@192.0.2.77:');
  });

  it('a flow whose address is still there stays, and is asked at once', async () => {
    const { first, userAgent, change } = client();
    first.onRequest = accepting();
    await userAgent.register();
    const before = first.pings;
    change({ kind: 'addresses', present: ['127.0.0.1', '192.0.2.10', '192.0.2.99'] });
    await settled();
    expect(first.pings).toBe(before + 1);
    expect(first.count('REGISTER')).toBe(1);
  });

  it('after sleep the registration is renewed over the flow', async () => {
    const { first, userAgent, change } = client();
    first.onRequest = accepting();
    await userAgent.register();
    change({ kind: 'woke', sleptMilliseconds: 3_600_000 });
    await settled();
    expect(first.count('REGISTER')).toBe(2);
    expect(userAgent.registration.state).toBe('registered');
  });

  it('what waits for its next attempt is tried at once', async () => {
    const { first, second, userAgent, change } = client();
    first.isDown = true;
    second.isDown = true;
    await expect(userAgent.register()).resolves.toMatchObject({ code: 'unreachable', willRetry: true });
    first.isDown = false;
    first.onRequest = accepting();
    change({ kind: 'addresses', present: ['127.0.0.1', '192.0.2.10', '192.0.2.99'] });
    await settled();
    expect(userAgent.registration.state).toBe('registered');
  });

  it('nothing is heard of it after the end', async () => {
    const { first, userAgent, change } = client();
    first.onRequest = accepting();
    await userAgent.register();
    await userAgent.stop();
    const { length } = first.requests;
    change({ kind: 'woke', sleptMilliseconds: 1 });
    await settled();
    expect(first.requests).toHaveLength(length);
  });
});

describe('while a connection is made', () => {
  /** The network answers when the test says so, place by place. */
  function slow(): EdgeClient & { readonly next: (succeeds: boolean) => void; readonly asked: string[] } {
    const created = client();
    const { network } = created;
    const connect = network.connect.bind(network);
    const waiting: ((succeeds: boolean) => void)[] = [];
    const asked: string[] = [];
    network.connect = async (hop) => {
      asked.push(hop.address);
      const succeeds = await new Promise<boolean>((resolve) => waiting.push(resolve));
      if (!succeeds) throw new Error('connection refused');
      return connect(hop);
    };
    return { ...created, asked, next: (succeeds) => waiting.shift()?.(succeeds) };
  }

  it('and the account stops, no other place is tried', async () => {
    const { userAgent, asked, next, pass } = slow();
    const state = userAgent.register();
    await settled();
    await Promise.all([userAgent.stop(), pass(5_000)]);
    next(false);
    await state;
    expect(asked).toEqual(['198.51.100.1']);
  });

  it('and the account stops and starts again, the connection of before is closed and not used', async () => {
    const { userAgent, first, next, pass } = slow();
    first.onRequest = accepting();
    const before = userAgent.register();
    await settled();
    await Promise.all([userAgent.stop(), pass(5_000)]);
    const started = userAgent.start();
    await settled();
    next(true);
    await settled();
    expect(first.open.size).toBe(0);
    next(true);
    await expect(started).resolves.toBeUndefined();
    expect(first.open.size).toBe(1);
    await before;
  });
});

it('a second stop waits for what the first one waits for', async () => {
  const { userAgent, first, second } = await onBoth();
  const waiting: (() => void)[] = [];
  for (const edge of [first, second]) edge.onRequest = ({ reply }) => void waiting.push(() => reply(200));
  const order: string[] = [];
  const stops = [1, 2].map((turn) => userAgent.stop().then(() => order.push(`stop ${turn}`)));
  await settled();
  expect(order).toEqual([]);
  for (const go of waiting) go();
  await Promise.all(stops);
  expect([first.open.size, second.open.size]).toEqual([0, 0]);
});
