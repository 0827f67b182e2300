import { beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { Events } from '../../../src/base/events.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import type { AccountEvents } from '../../../src/engine/account.ts';
import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import { ContactBook, TrustHistory, type TrustChange } from '../../../src/engine/contacts/index.ts';
import { notProtectedBy, type Evidence, type MessagePskMimeEvidence } from '../../../src/engine/evidence.ts';
import { limits } from '../../../src/engine/limits.ts';
import { MemoryNotes } from '../support/memory-notes.ts';
import { settle, World } from '../support/world.ts';

const peer = 'sip:bob@lab.test';
const clock = new FakeClock();
let notes: MemoryNotes;
let book: ContactBook;
let history: TrustHistory;
let changes: TrustChange[];
let events: Events<AccountEvents>;
let count = 0;

function open(): void {
  history = new TrustHistory({ notes, book, clock, log: silentLogger });
  changes = [];
  history.events.on('trustChanged', (change) => changes.push(change));
  events = new Events<AccountEvents>();
  history.attach({ config: { id: 'a' } as never, events });
}

const sealed = (more: Partial<MessagePskMimeEvidence> = {}): MessagePskMimeEvidence => ({
  kind: 'message-psk-mime',
  contentEncryption: 'AES-256-GCM',
  kms: 'sip:kms.one',
  ticket: { issuedAt: 1, credential: 'static-psk' },
  keyId: '01',
  origin: 'proven',
  vouchedBy: 'kms',
  verifiedAt: 2,
  notProtected: notProtectedBy.endToEnd,
  ...more,
});

const overTls = (peerFingerprint: string, indication: 'applied' | 'none'): Evidence => ({
  kind: 'msrp-fingerprint-tls',
  tls: { version: 'TLSv1.3', suite: 'X' },
  localFingerprint: 'AA',
  peerFingerprint,
  indication,
  vouchedBy: indication === 'none' ? 'nobody' : 'network',
  verifiedAt: 2,
  notProtected: [],
});

function message(evidence: Evidence | undefined, more: Partial<ChatMessage> = {}): ChatMessage {
  return {
    id: `m${++count}`,
    conversation: peer,
    direction: 'in',
    from: peer,
    to: 'sip:me@lab.test',
    text: 'secret text',
    at: 0,
    way: 'message',
    level: 'e2e',
    ...(evidence === undefined ? {} : { evidence }),
    state: 'received',
    ...more,
  };
}

const receive = (evidence: Evidence, more: Partial<ChatMessage> = {}): void =>
  events.emit('messageReceived', message(evidence, more));

beforeEach(() => {
  notes = new MemoryNotes();
  book = new ContactBook({ notes, clock, random: secureRandom, log: silentLogger });
  open();
});

describe('what is recorded', () => {
  test('names, levels, times and how often; nothing of what was said, and no key', () => {
    const first = clock.now();
    receive(sealed());
    clock.advance(5000);
    receive(sealed());
    events.emit('messageState', message(sealed(), { direction: 'out', state: 'accepted' }));
    expect(history.of('sips:bob@LAB.test')).toEqual([
      {
        accountId: 'a',
        peer,
        firstAt: first,
        lastAt: first + 5000,
        count: 3,
        levels: [
          { value: 'e2e', way: 'out', firstAt: first + 5000, lastAt: first + 5000, count: 1 },
          { value: 'e2e', way: 'in', firstAt: first, lastAt: first + 5000, count: 2 },
        ],
        kms: expect.arrayContaining([
          expect.objectContaining({ value: 'sip:kms.one', way: 'in', count: 2 }),
        ]) as unknown,
        credentials: expect.arrayContaining([expect.objectContaining({ value: 'static-psk' })]) as unknown,
        protections: expect.arrayContaining([expect.objectContaining({ value: 'AES-256-GCM' })]) as unknown,
        fingerprints: [],
      },
    ]);
    expect(JSON.stringify(notes.list('trust'))).not.toMatch(/secret text|keyId|"01"/);
  });

  test('a message counts once, whatever becomes of it, and only when it has arrived', () => {
    const out = message(sealed(), { direction: 'out', state: 'queued', level: 'none' });
    events.emit('messageState', { ...message(undefined), ...{ id: out.id, direction: 'out', state: 'queued' } });
    for (const state of ['sent', 'accepted', 'delivered', 'displayed'] as const) {
      events.emit('messageState', { ...out, level: 'e2e', state });
    }
    const late = message(sealed(), { state: 'undecryptable' });
    events.emit('messageReceived', late);
    expect(history.of(peer)[0]?.count).toBe(1);
    events.emit('messageState', { ...late, state: 'received' });
    expect(history.of(peer)[0]?.count).toBe(2);
  });

  test('what nobody proved vouches for nobody', () => {
    receive(sealed({ origin: 'unproven', vouchedBy: 'nobody', kms: 'sip:kms.evil' }), { level: 'unverified' });
    expect(history.of(peer)[0]).toMatchObject({ kms: [], levels: [{ value: 'unverified' }] });
    receive(sealed());
    expect(changes).toEqual([]);
  });

  test('over a restart, for each account by itself', () => {
    receive(sealed());
    history.detach('a');
    receive(sealed());
    open();
    const other = new Events<AccountEvents>();
    history.attach({ config: { id: 'b' } as never, events: other });
    other.emit('messageReceived', message(sealed({ kms: 'sip:kms.two' })));
    expect(changes).toEqual([]);
    receive(sealed());
    expect(history.of(peer).map((record) => [record.accountId, record.count])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    history.forgetAccount('b');
    expect(history.of(peer)).toHaveLength(1);
    expect(history.forget(peer)).toBe(1);
    expect(history.of(peer)).toEqual([]);
  });

  test('is bounded: values of one peer, and strangers, but no contact', () => {
    for (let n = 0; n < 40; n++) receive(sealed({ kms: `sip:kms${n}` }));
    expect(history.of(peer)[0]?.kms).toHaveLength(limits.trustSightings);
    book.put({ name: 'Bob', addresses: [peer] });
    for (let n = 0; n < limits.trustHistories; n++) {
      receive(overTls('AA', 'none'), { conversation: `sip:s${n}@x.org`, level: 'unverified' });
    }
    expect(notes.list('trust').length).toBeLessThanOrEqual(limits.trustHistories);
    expect(history.of(peer)).toHaveLength(1);
    expect(history.of('sip:s0@x.org')).toEqual([]);
  });
});

describe('what is told', () => {
  test('another key management server, with the name of the contact and words', () => {
    const outcome = book.put({ name: 'Bob B.', addresses: [peer] });
    receive(sealed());
    receive(sealed({ kms: 'sip:kms.two' }));
    receive(sealed({ kms: 'sip:kms.two' }));
    receive(sealed());
    expect(changes).toEqual([
      {
        accountId: 'a',
        peer,
        contact: { id: outcome.outcome === 'kept' ? outcome.contact.id : '', name: 'Bob B.' },
        what: 'kms',
        value: 'sip:kms.two',
        before: ['sip:kms.one'],
        at: clock.now(),
        explanation: expect.stringMatching(
          /^Another key .* for Bob B\.: sip:kms\.two, and not sip:kms\.one\. .*\. Ask /,
        ) as string,
      },
    ]);
  });

  test('another certificate of the peer, but not of the gateway of its network', () => {
    const session = { id: 's', peer, direction: 'in', openedAt: 0 } as const;
    const opened = (evidence: Evidence, level: 'e2ae' | 'unverified'): void =>
      events.emit('session', { change: 'opened', session: { ...session, evidence, level } });
    opened(overTls('11:22', 'applied'), 'e2ae');
    opened(overTls('33:44', 'applied'), 'e2ae');
    expect(changes).toEqual([]);
    opened(overTls('55:66', 'none'), 'unverified');
    opened(overTls('77:88', 'none'), 'unverified');
    events.emit('session', {
      change: 'closed',
      reason: 'x',
      session: { ...session, evidence: overTls('99:99', 'none'), level: 'unverified' },
    });
    expect(changes).toMatchObject([{ what: 'fingerprint', value: '77:88', before: ['55:66'] }]);
    expect(changes[0]?.explanation).toMatch(/another certificate than before: 77:88\./);
    expect(history.of(peer)[0]?.fingerprints.map(({ value }) => value)).toEqual(['77:88', '55:66']);
  });

  test('of real messages and sessions of accounts: who vouched, and nothing new the second time', async () => {
    const world = new World();
    const [alice, bob] = [await world.user('alice'), await world.user('bob')];
    history.attach(bob.account);
    for (const way of ['message', 'msrp', 'message'] as const) {
      expect(await alice.account.sendMessage({ to: peer, text: 'hello', way })).toMatchObject({ outcome: 'sent' });
      await settle();
    }
    const [record] = history.of('sip:alice@lab.test');
    // Three messages and a session.
    expect(record).toMatchObject({ count: 4, levels: [{ value: 'e2e', way: 'in', count: 4 }] });
    expect(record?.kms).toMatchObject([{ value: world.kms.identity, count: 4 }]);
    expect(changes).toEqual([]);
    await Promise.all([alice.account.stop(), bob.account.stop()]);
  });
});
