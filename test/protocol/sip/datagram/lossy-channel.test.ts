import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { DatagramTransactions } from '../../../../src/protocol/sip/datagram/index.ts';
import { parseSipMessage } from '../../../../src/protocol/sip/message.ts';
import { machine, request, response } from './support.ts';

/** What the network does to the datagrams in turn: how often each arrives, and how late. */
interface Fate {
  readonly copies: readonly number[];
}

/** At most so many copies of one message are lost in a row, so that a transaction of 32 s, with eleven tries, gets through. */
const longestLoss = 2;

const fates = fc.array(fc.record<Fate>({ copies: fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 3 }) }), {
  minLength: 1,
  maxLength: 40,
});

/** Both ends and the network between them; runs until nobody has anything to do. */
function run(methods: readonly string[], fate: readonly Fate[]): { seen: string[]; answered: string[]; left: number } {
  const ends = { client: machine(), server: machine() };
  const network: { at: number; to: 'client' | 'server'; bytes: Uint8Array }[] = [];
  const seen: string[] = [];
  const answered: string[] = [];
  let now = 1_000_000;
  let turn = 0;
  const losses = new Map<string, number>();

  const transmit = (to: 'client' | 'server', bytes: Uint8Array): void => {
    const { copies } = fate[turn++ % fate.length] ?? { copies: [0] };
    const message = `${to} ${parseSipMessage(bytes).headers.get('CSeq') ?? ''}`;
    const lost = losses.get(message) ?? 0;
    const isLost = copies.length === 0 && lost < longestLoss;
    losses.set(message, isLost ? lost + 1 : 0);
    if (isLost) return;
    for (const delay of copies.length === 0 ? [0] : copies) network.push({ at: now + 1 + delay, to, bytes });
  };
  const apply = (end: 'client' | 'server', actions: ReturnType<DatagramTransactions['handle']>): void => {
    for (const action of actions) {
      if (action.kind === 'send') transmit(end === 'client' ? 'server' : 'client', action.bytes);
      else if (end === 'client') answered.push(action.message.headers.get('CSeq') ?? '');
      else {
        seen.push(action.message.headers.get('CSeq') ?? '');
        if (action.message.method === 'ACK') continue;
        const status = action.message.method === 'INVITE' ? 486 : 200;
        apply('server', ends.server.handle({ kind: 'send', message: response(action.message, status) }, now));
      }
      if (end === 'client' && action.kind === 'deliver' && action.message.headers.get('CSeq')?.endsWith('INVITE')) {
        const [number = 0] = (action.message.headers.get('CSeq') ?? '').split(' ').map(Number);
        const ack = request('ACK', `z9hG4bK${number}`, number);
        apply('client', ends.client.handle({ kind: 'send', message: ack }, now));
      }
    }
  };
  methods.forEach((method, index) => {
    const message = request(method, `z9hG4bK${index}`, index);
    apply('client', ends.client.handle({ kind: 'send', message }, now));
  });
  for (;;) {
    const arrivals = network.map(({ at }) => at);
    const next = Math.min(...arrivals, ends.client.nextDue() ?? Infinity, ends.server.nextDue() ?? Infinity);
    if (next === Infinity) break;
    now = next;
    const arrived = network.filter(({ at }) => at <= now);
    for (const packet of arrived) network.splice(network.indexOf(packet), 1);
    for (const { to, bytes } of arrived) {
      apply(to, ends[to].handle({ kind: 'receive', message: parseSipMessage(bytes) }, now));
    }
    for (const end of ['client', 'server'] as const) apply(end, ends[end].handle({ kind: 'time' }, now));
  }
  return { seen, answered, left: ends.client.size + ends.server.size };
}

it('hands each request over once and each answer over once, whatever the network loses, doubles and reorders', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('MESSAGE', 'INVITE', 'OPTIONS'), { minLength: 1, maxLength: 5 }),
      fates,
      (methods, fate) => {
        const { seen, answered, left } = run(methods, fate);
        const expected = methods.map((method, index) => `${index} ${method}`).sort();
        expect(answered.sort()).toEqual(expected);
        const withAcks = methods.flatMap((method, index) =>
          method === 'INVITE' ? [`${index} ACK`, `${index} INVITE`] : [`${index} ${method}`],
        );
        expect(seen.sort()).toEqual(withAcks.sort());
        expect(left).toBe(0);
      },
    ),
    { seed: 3261, numRuns: 300 },
  );
});
