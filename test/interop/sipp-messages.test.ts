import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../integration/support/parties.ts';
import { createSippDevice, patience, receives, sendTaken, type OurDevice } from './support/our-device.ts';
import { Sipp, lackOfSipp, type SippOptions } from './support/sipp.ts';
import * as sipp from './support/sipp-scenario.ts';
import { needing } from '../support/needs/needs.ts';

const lack = lackOfSipp();

const bob = 'sip:bob@sipp.test';
const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
}, 60_000);

/**
 * A server that registers us; a MESSAGE of ours begins a call of its own, for which `onMessage` says what happens.
 * @param duringRegistration what comes between the registration and its end
 */
function serverScenario(
  onMessage: readonly string[],
  {
    duringRegistration = [],
    globals = [],
  }: { duringRegistration?: readonly string[]; globals?: readonly string[] } = {},
): string {
  const steps = [
    sipp.receive('MESSAGE', { optional: true, next: 'message', actions: messageCame }),
    sipp.receive('REGISTER'),
    sipp.grant(),
    ...duringRegistration,
    sipp.receive('REGISTER'),
    sipp.grant([], { next: 'end' }),
    sipp.label('message'),
    ...onMessage,
    sipp.label('end'),
    sipp.act([]),
  ];
  return sipp.scenario(steps, globals);
}

const messageCame = [
  '<ereg regexp="branch=[^;]*" search_in="hdr" header="Via:" assign_to="branch"/>',
  sipp.log('MESSAGE [$branch]'),
];
const receiveCopy = (): string => sipp.receive('MESSAGE', { actions: messageCame });
/** Answers, also every copy that is on its way already, until none comes any more. */
const answerAll = (method: string, answer: string): string[] => [
  sipp.label('again'),
  answer,
  sipp.receive(method, { next: 'again', within: { milliseconds: 2_500, label: 'end' } }),
];

async function start(options: SippOptions): Promise<{ server: Sipp; alice: OurDevice }> {
  const server = await Sipp.start(options);
  toStop.push(() => server.stop());
  const alice = await createSippDevice(server.port, options.transport);
  toStop.push(() => alice.stop());
  expect(await alice.account.register()).toMatchObject({ state: 'registered' });
  return { server, alice };
}

/** Signs out, which ends the last call: SIPp's verdict on all of them. */
async function expectSuccess(server: Sipp, alice: OurDevice, calls: number): Promise<void> {
  await alice.account.unregister();
  const outcome = await server.ended();
  expect({ ...outcome, errors: server.errors }).toEqual({ code: 0, successful: calls, failed: 0, errors: [] });
}

/** The branches of the MESSAGEs that the server saw, copies too. */
const branchesSeen = ({ log }: Sipp): string[] =>
  log.flatMap((line) => /^MESSAGE (branch=\S+)/.exec(line)?.slice(1) ?? []);

/** Each Proxy-Authorization of a MESSAGE that came: its nonce, and whether it proves alice's password (RFC 7616 clause 3.4, qop auth). */
function proxyCredentials({ messages }: Sipp): { nonce: string; isProven: boolean }[] {
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const requests = messages.split(/^-{20,}/m).filter((text) => /^CSeq: \d+ MESSAGE/m.test(text));
  const lines = requests.flatMap((text) => /^Proxy-Authorization: Digest (.*)$/m.exec(text)?.slice(1) ?? []);
  return lines.map((line) => {
    const value = (name: string): string => new RegExp(`\\b${name}="?([^",]*)`).exec(line)?.[1] ?? '';
    const [nonce, uri, nc, cnonce, response] = ['nonce', 'uri', 'nc', 'cnonce', 'response'].map(value);
    const request = sha256(`MESSAGE:${uri}`);
    const expected = sha256(`${sha256('alice:sipp.test:alicesword')}:${nonce}:${nc}:${cnonce}:auth:${request}`);
    return { nonce: nonce ?? '', isProven: response === expected };
  });
}

/** A MESSAGE of bob in the call of the registration, the same however often it is sent. */
function fromBob(text: string, sequence: number): string {
  const lines = [
    'MESSAGE sip:alice@sipp.test SIP/2.0',
    `Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-bob-${sequence}`,
    `From: <${bob}>;tag=bob${sequence}`,
    'To: <sip:alice@sipp.test>',
    'Call-ID: [call_id]',
    `CSeq: ${sequence} MESSAGE`,
    'Max-Forwards: 70',
    'Content-Type: text/plain',
    'Content-Length: [len]',
  ];
  return `${lines.join('\n')}\n\n${text}`;
}

/** Our tags in the answers to a MESSAGE of bob. */
function tagsOfAnswers({ messages }: Sipp, sequence: number): string[] {
  const branch = `branch=z9hG4bK-bob-${sequence}`;
  const answers = messages.split(/^-{20,}/m).filter((text) => / 200 OK/.test(text) && text.includes(branch));
  return answers.flatMap((text) => /^To: .*;tag=(\S+)/m.exec(text)?.slice(1) ?? []);
}

describe('our messages and SIPp', { timeout: 120_000, ...needing(lack) }, () => {
  describe.each(['udp', 'tcp'] as const)('over %s', (transport) => {
    it('answers 407 for a MESSAGE, and a stale nonce once more', async () => {
      const challenge = (nonce: string, stale: boolean): { headers: string[] } => ({
        headers: [sipp.challenge('Proxy-Authenticate', { realm: 'sipp.test', nonce, stale })],
      });
      const proves = (nonce: string, variable: string): string =>
        sipp.receive('MESSAGE', {
          actions: sipp.demand('Proxy-Authorization', `nonce=.${nonce}.`, variable),
        });
      const scenario = serverScenario([
        sipp.respond(407, 'Proxy Authentication Required', challenge('old', false)),
        proves('old', 'first'),
        sipp.respond(407, 'Proxy Authentication Required', challenge('new', true)),
        proves('new', 'second'),
        sipp.respond(200, 'OK'),
      ]);
      const { server, alice } = await start({ scenario, transport, calls: 2 });
      const { id } = await sendTaken(alice, bob, 'with credentials');
      expect(alice.statesOf(id)).toEqual(['queued', 'sent', 'accepted']);
      await expectSuccess(server, alice, 2);
      // SIPp itself checks only what stands in Authorization.
      expect(proxyCredentials(server)).toEqual([
        { nonce: 'old', isProven: true },
        { nonce: 'new', isProven: true },
      ]);
    });

    it('keeps a message that meets 503 and sends it again when the server said', async () => {
      const scenario = serverScenario(
        [
          sipp.act([sipp.log('tried at [clock_tick]'), ...sipp.countFirst('tries', 'is_first')], {
            next: 'away',
            test: 'is_first',
          }),
          sipp.respond(200, 'OK', { next: 'end' }),
          sipp.label('away'),
          sipp.respond(503, 'Service Unavailable', { headers: ['Retry-After: 2'] }),
        ],
        { globals: ['tries'] },
      );
      const { server, alice } = await start({ scenario, transport, calls: 3 });
      const outcome = await alice.account.sendMessage({ to: bob, text: 'in a while', way: 'message' });
      expect(outcome).toMatchObject({ outcome: 'waiting', message: { state: 'sent' } });
      const { id } = outcome.outcome === 'waiting' ? outcome.message : { id: '' };
      await until(() => alice.statesOf(id).at(-1) === 'accepted', 'it is sent by itself', patience);
      expect(alice.account.outbox.list()).toEqual([]);
      await expectSuccess(server, alice, 3);
      expect(new Set(branchesSeen(server)).size).toBe(2);
      const times = server.log.filter((line) => line.startsWith('tried at '));
      const [before = 0, after = 0] = times.map((line) => Number(line.slice('tried at '.length)));
      // Slowness only makes it longer.
      expect(after - before).toBeGreaterThanOrEqual(1_900);
    });

    it('registers anew when a MESSAGE meets 494, and sends it again', async () => {
      const scenario = serverScenario(
        [
          sipp.act(sipp.countFirst('tries', 'is_first'), { next: 'disagree', test: 'is_first' }),
          sipp.respond(200, 'OK', { next: 'end' }),
          sipp.label('disagree'),
          sipp.respond(494, 'Security Agreement Required', { headers: ['Security-Server: tls;q=0.2'] }),
        ],
        { globals: ['tries'], duringRegistration: [sipp.receive('REGISTER'), sipp.grant()] },
      );
      const { server, alice } = await start({ scenario, transport, calls: 3 });
      const outcome = await alice.account.sendMessage({ to: bob, text: 'agreed', way: 'message' });
      expect(outcome.outcome).toBe('waiting');
      await until(() => alice.account.outbox.list().length === 0, 'it is sent by itself', patience);
      const [conversation] = alice.account.conversations();
      expect(conversation?.messages).toMatchObject([{ text: 'agreed', state: 'accepted' }]);
      await expectSuccess(server, alice, 3);
    });

    it('stays by the first final answer when another one follows', async () => {
      const scenario = serverScenario([
        sipp.respond(200, 'OK'),
        sipp.respond(500, 'Too Late'),
        sipp.respond(200, 'OK'),
      ]);
      const { server, alice } = await start({ scenario, transport, calls: 3 });
      const { id } = await sendTaken(alice, bob, 'answered thrice');
      // The next one comes after the late answers, on the same connection.
      await sendTaken(alice, bob, 'the next one');
      expect(alice.statesOf(id)).toEqual(['queued', 'sent', 'accepted']);
      expect(alice.account.outbox.list()).toEqual([]);
      await expectSuccess(server, alice, 3);
      expect(new Set(branchesSeen(server)).size).toBe(2);
    });

    it('shows a message that is sent again once, and answers each copy', async () => {
      const text = fromBob('only once', 1);
      // Of the registration, which the machine may have been slow to answer.
      const lateCopy = sipp.receive('REGISTER', { optional: true });
      const scenario = serverScenario([sipp.respond(200, 'OK')], {
        duringRegistration: [
          ...[1, 2, 3].flatMap(() => [sipp.send(text), lateCopy, sipp.receiveResponse(200)]),
          sipp.send(fromBob('the end', 2)),
          lateCopy,
          sipp.receiveResponse(200),
        ],
      });
      const { server, alice } = await start({ scenario, transport, calls: 1, seesCopies: true });
      await receives(alice, 'the end');
      expect(alice.received.map(({ text: shown }) => shown)).toEqual(['only once', 'the end']);
      await expectSuccess(server, alice, 1);
      // Over UDP the copies belong to one transaction: all are given the same answer.
      if (transport === 'udp') expect(new Set(tagsOfAnswers(server, 1)).size).toBe(1);
      expect(tagsOfAnswers(server, 1)).toHaveLength(3);
    });
  });

  describe('over udp, with losses', () => {
    it('repeats a MESSAGE whose copies are lost until one arrives', async () => {
      // What the server reads and does not answer never arrived.
      const copies = [receiveCopy(), receiveCopy(), receiveCopy()];
      const scenario = serverScenario([...copies, ...answerAll('MESSAGE', sipp.respond(200, 'OK'))]);
      const { server, alice } = await start({ scenario, transport: 'udp', calls: 2, seesCopies: true });
      const { id } = await sendTaken(alice, bob, 'through losses');
      expect(alice.statesOf(id)).toEqual(['queued', 'sent', 'accepted']);
      await expectSuccess(server, alice, 2);
      expect(branchesSeen(server).length).toBeGreaterThanOrEqual(4);
      expect(new Set(branchesSeen(server)).size).toBe(1);
    });

    it('repeats a MESSAGE whose answers are lost', async () => {
      const lost = [sipp.respond(200, 'OK', { lost: true }), receiveCopy()];
      const scenario = serverScenario([...lost, ...lost, ...answerAll('MESSAGE', sipp.respond(200, 'OK'))]);
      const { server, alice } = await start({ scenario, transport: 'udp', calls: 2, seesCopies: true });
      const { id } = await sendTaken(alice, bob, 'answered at last');
      expect(alice.statesOf(id)).toEqual(['queued', 'sent', 'accepted']);
      await expectSuccess(server, alice, 2);
      expect(branchesSeen(server).length).toBeGreaterThanOrEqual(3);
      expect(new Set(branchesSeen(server)).size).toBe(1);
    });

    it('repeats a REGISTER too', async () => {
      const isEnd = '<ereg regexp="^ *0" search_in="hdr" header="Expires:" assign_to="is_end"/>';
      const scenario = sipp.scenario([
        sipp.receive('REGISTER'),
        sipp.label('registered'),
        sipp.receive('REGISTER', { actions: [isEnd], next: 'leaving', test: 'is_end' }),
        sipp.grant([], { next: 'registered' }),
        sipp.label('leaving'),
        sipp.receive('REGISTER'),
        ...answerAll('REGISTER', sipp.grant()),
        sipp.label('end'),
        sipp.act([]),
      ]);
      const { server, alice } = await start({ scenario, transport: 'udp', calls: 1, seesCopies: true });
      await expectSuccess(server, alice, 1);
    });
  });
});
