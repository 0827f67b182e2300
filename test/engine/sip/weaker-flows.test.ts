import { afterEach, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import type { FlowFacts, IncomingInvite, SdpNegotiator } from '../../../src/engine/sip/index.ts';
import { accepting, createEdgeClient, outbound, requestTo, type EdgeClient } from '../../support/edge-client.ts';
import { settled } from '../../support/sip-client.ts';

const started: EdgeClient[] = [];
afterEach(async () => {
  for (const { userAgent, pass } of started.splice(0)) await Promise.all([userAgent.stop(), pass(5_000)]);
});

/** Registered over TLS, and over TCP to the second server of the account. */
async function onStrongAndWeak(): Promise<EdgeClient> {
  const client = createEdgeClient('tls', {
    target: { host: '198.51.100.1', protocol: 'tls' },
    secondTarget: { host: '198.51.100.2', protocol: 'tcp' },
  });
  started.push(client);
  client.network.told = ['tls', 'tcp'];
  client.first.protocols = ['tls'];
  client.second.protocols = ['tcp'];
  for (const edge of [client.first, client.second]) edge.onRequest = accepting(outbound);
  await client.userAgent.register();
  await settled();
  expect(client.userAgent.flows.map(({ flow }) => flow?.protocol)).toEqual(['tls', 'tcp']);
  return client;
}

const message = { to: 'sip:bob@lab.test', contentType: 'text/plain', body: utf8('hello') };
const sdp =
  'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\na=path:msrp://192.0.2.1:9/a;tcp\r\n';
const described = { 'Content-Type': 'application/sdp', Contact: '<sip:bob@198.51.100.7>' };

it('a message that was judged by a flow which broke meanwhile does not leave over a weaker one', async () => {
  const { userAgent, first, second } = await onStrongAndWeak();
  const judgedBy = userAgent.flow;
  first.kill();
  await expect(userAgent.sendMessage({ ...message, judgedBy })).resolves.toMatchObject({
    status: 503,
    local: 'connection-lost',
    unsent: true,
  });
  expect(second.count('MESSAGE')).toBe(0);
});

it('a message that protects itself, or was judged by the weaker flow, leaves over it', async () => {
  const { userAgent, first, second } = await onStrongAndWeak();
  first.kill();
  await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status: 200 });
  const judgedBy = userAgent.flow;
  expect(judgedBy?.protocol).toBe('tcp');
  await expect(userAgent.sendMessage({ ...message, judgedBy })).resolves.toMatchObject({ status: 200 });
  expect(second.count('MESSAGE')).toBe(2);
});

it('an invitation is judged by the flow that it came over, not by the one that requests leave over', async () => {
  const { userAgent, first, second } = await onStrongAndWeak();
  const invites: IncomingInvite[] = [];
  userAgent.events.on('invite', (invite) => invites.push(invite));
  for (const edge of [first, second]) {
    const request = requestTo(edge, 'INVITE', described);
    request.body = utf8(sdp);
    edge.send(request);
  }
  await settled();
  expect(invites.map(({ flow }) => flow?.protocol)).toEqual(['tls', 'tcp']);
  expect(userAgent.flow?.protocol).toBe('tls');
  for (const invite of invites) invite.reject(486);
});

it('an answer is judged by the flow that it came over, whatever other flows there are by then', async () => {
  const { userAgent, first, second, pass } = await onStrongAndWeak();
  first.kill();
  const accept = accepting(outbound);
  second.onRequest = (request) => (request.message.method === 'INVITE' ? request.reply(180) : accept(request));
  const judgedBy: (FlowFacts | undefined)[] = [];
  const negotiator: SdpNegotiator = {
    createOffer: () => Promise.resolve(sdp),
    acceptAnswer: (_, flow) => Promise.resolve(void judgedBy.push(flow)),
    createAnswer: () => Promise.reject(new Error('offers only')),
    close: () => undefined,
  };
  const outcome = userAgent.invite({ to: 'sip:bob@lab.test', negotiator });
  await settled();
  first.isDown = false;
  await pass(5_000);
  expect(userAgent.flow?.protocol).toBe('tls');
  const { answer } = second.last('INVITE');
  const response = answer(200, described);
  response.body = utf8(sdp);
  second.send(response);
  await expect(outcome).resolves.toMatchObject({ outcome: 'established' });
  expect(judgedBy.map((flow) => flow?.protocol)).toEqual(['tcp']);
});

describe('where a server may be talked to without TLS too', () => {
  it.each([
    ['that proves itself nowhere', [undefined, undefined], [true, true], 'tls-failed'],
    [
      'that proves itself nowhere, and is not there at its first place',
      [undefined, undefined],
      [false, true],
      'tls-failed',
    ],
    ['that proves itself at its second place', [undefined, 'authority'], [true, true], 'tls'],
    ['that takes no TLS', ['authority', 'authority'], [false, false], 'tcp'],
  ] as const)('one %s', async (_, proofs, takesTls, expected) => {
    const client = createEdgeClient('tls', { target: { host: 'edges', security: 'any' } });
    started.push(client);
    const { first, second, network, userAgent } = client;
    network.told = ['tls', 'tcp'];
    [first, second].forEach((edge, index) => {
      edge.serverProof = proofs[index];
      edge.protocols = takesTls[index] === true ? ['tls', 'tcp'] : ['tcp'];
      edge.onRequest = accepting();
    });
    const state = await userAgent.register();
    if (expected === 'tls-failed') {
      expect(state).toMatchObject({ state: 'failed', code: 'tls-failed' });
      expect([...first.requests, ...second.requests]).toEqual([]);
    } else {
      expect(state).toMatchObject({ state: 'registered' });
      expect(userAgent.flow?.protocol).toBe(expected);
    }
  });
});
