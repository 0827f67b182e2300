import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import { notProtectedBy, type Evidence } from '../../../src/engine/evidence.ts';
import { exportHtml, exportJson, HistoryImport, type HistoryReport } from '../../../src/engine/history/index.ts';
import { evidenceFacts, levelWords, protectionWords } from '../../../src/engine/history/evidence-words.ts';
import { createMemoryStore, type AccountStore } from '../../../src/engine/store/index.ts';
import { checkExportedMessage } from '../../../src/node/history/exported-message.ts';

const [alice, bob, carol] = ['sip:alice@lab.test', 'sip:bob@lab.test', 'sip:carol@lab.test'];
const now = Date.UTC(2026, 6, 1);

const tls = { version: 'TLSv1.3', suite: 'TLS_AES_256_GCM_SHA384' };
const ticket = { issuedAt: 1, validUntil: 2, credential: 'gba-aka' } as const;
const shared = { verifiedAt: now, notProtected: notProtectedBy.endToEnd };
const evidences: readonly Evidence[] = [
  {
    kind: 'msrp-psk-tls',
    tls,
    role: 'active',
    kms: 'sip:kms',
    ticket,
    keyId: '01.01',
    peer: bob,
    vouchedBy: 'kms',
    ...shared,
  },
  {
    kind: 'msrp-fingerprint-tls',
    tls,
    localFingerprint: 'AA',
    peerFingerprint: 'BB',
    indication: 'applied',
    vouchedBy: 'network',
    ...shared,
  },
  { kind: 'msrp-relay', tls, relay: 'relay.lab.test', side: 'own', beyond: 'plain', vouchedBy: 'nobody', ...shared },
  { kind: 'msrp-plain', vouchedBy: 'nobody', notProtected: notProtectedBy.nothing },
  {
    kind: 'message-psk-mime',
    contentEncryption: 'AES-256-GCM',
    kms: 'sip:kms',
    ticket,
    keyId: '01',
    origin: 'proven',
    vouchedBy: 'kms',
    ...shared,
  },
  { kind: 'message-signalling', transport: 'tls', tls, securityAgreement: ['tls'], vouchedBy: 'network', ...shared },
];

let count = 0;

function message(more: Partial<ChatMessage> = {}): ChatMessage {
  const id = `m${++count}`;
  return {
    id,
    conversation: bob,
    direction: 'in',
    from: bob,
    to: alice,
    text: `text of ${id}`,
    at: now + count,
    way: 'message',
    level: 'e2e',
    evidence: evidences[4]!,
    state: 'received',
    messageId: `imdn-${id}`,
    ...more,
  };
}

let store: AccountStore;
const newStore = (): AccountStore => createMemoryStore({ reason: 'test' }).account('a');
beforeEach(() => (store = newStore()));

function exported(from: AccountStore, peer?: string): string {
  const accounts = [{ id: 'a', identity: alice, messages: from.messages }];
  return [...exportJson({ accounts, at: now, ...(peer === undefined ? {} : { peer }) })].join('');
}

async function imported(into: AccountStore, text: string, cut = text.length): Promise<HistoryReport> {
  const taking = new HistoryImport({
    targets: [{ id: 'b', identity: alice, store: into }],
    check: checkExportedMessage,
    now: now + 5000,
  });
  for (let at = 0; at < text.length; at += cut) await taking.push(text.slice(at, at + cut));
  return taking.finish();
}

const marked = ({ level, evidence, ...rest }: ChatMessage): ChatMessage => ({
  ...rest,
  level: 'none',
  imported: { at: now + 5000, level, ...(evidence === undefined ? {} : { evidence }) },
});

describe('JSON', () => {
  test('is complete, valid, and has a message a line', () => {
    const messages = evidences.map((evidence) => message({ evidence }));
    for (const each of messages) store.messages.add(each);
    store.messages.add(message({ conversation: carol }));
    const text = exported(store);
    expect(JSON.parse(text)).toEqual({
      format: 'tessera-history',
      version: 1,
      exportedAt: now,
      accounts: [{ id: 'a', identity: alice }],
      attachments: [],
      messages: [...store.messages.all()].map((each) => ({ account: 'a', message: each })),
    });
    expect(text.split('\n')).toHaveLength(1 + 7 + 2);
    expect((JSON.parse(exported(store, carol)) as { messages: unknown[] }).messages).toHaveLength(1);
    expect((JSON.parse(exported(newStore())) as { messages: unknown[] }).messages).toEqual([]);
  });

  test('comes back with ids, marked, its evidence by the exporter’s word, and never twice', async () => {
    const messages = [
      ...evidences.map((evidence) => message({ evidence })),
      message({ direction: 'out', state: 'displayed', fromOtherDevice: true, subject: 's', sentAt: 5 }),
      message({ state: 'undecryptable', text: '', problem: { code: 'decryption-failed', explanation: 'x.' } }),
      message({ direction: 'out', state: 'sent', recipients: [{ address: bob, state: 'delivered' }] }),
    ];
    for (const each of messages) store.messages.add(each);
    const other = newStore();
    expect(await imported(other, exported(store))).toEqual({ taken: 9, known: 0, leftOut: {} });
    expect([...other.messages.all()]).toEqual(messages.map(marked));
    expect(await imported(other, exported(store))).toEqual({ taken: 0, known: 9, leftOut: {} });
    // The device that exported keeps what it verified itself.
    expect(await imported(store, exported(store))).toMatchObject({ taken: 0, known: 9 });
    expect([...store.messages.all()]).toEqual(messages);
    // What was imported stays what the first exporter said, over further exports.
    const third = newStore();
    await imported(third, exported(other));
    expect([...third.messages.all()]).toEqual(messages.map(marked));
  });

  test('is taken in pieces of any size, and in any layout', async () => {
    for (const text of ['plain', '"quotes" and \\ and ]} and {[', '\u{1f600}\n\t', '', '"messages":[']) {
      store.messages.add(message({ text }));
    }
    const text = exported(store);
    const expected = [...store.messages.all()].map(marked);
    for (const layout of [text, JSON.stringify(JSON.parse(text)), JSON.stringify(JSON.parse(text), undefined, 3)]) {
      for (const cut of [1, 7, 64, 4096]) {
        const other = newStore();
        expect(await imported(other, layout, cut)).toMatchObject({ taken: 5 });
        expect([...other.messages.all()]).toEqual(expected);
      }
    }
  });

  test('moves no state and adds nothing where the message is there already, by its id or its Message-ID', async () => {
    const mine = message({ direction: 'out', state: 'displayed' });
    store.messages.add(mine);
    const other = newStore();
    other.messages.add({ ...mine, state: 'failed', text: 'changed' });
    other.messages.add(message({ id: 'another', direction: 'out', messageId: mine.messageId! }));
    expect(await imported(store, exported(other))).toEqual({ taken: 0, known: 2, leftOut: {} });
    expect([...store.messages.all()]).toEqual([mine]);
  });

  test('takes its place in the order of time', async () => {
    const all = Array.from({ length: 6 }, () => message());
    const other = newStore();
    for (const [index, each] of all.entries()) (index % 2 === 0 ? other : store).messages.add(each);
    expect(await imported(store, exported(other))).toMatchObject({ taken: 3 });
    expect([...store.messages.all(bob)].map(({ id }) => id)).toEqual(all.map(({ id }) => id));
    const fresh = newStore();
    await imported(fresh, exported(other));
    expect(fresh.messages.summary(bob)?.unread).toBe(0);
  });

  test('what is not taken is counted by its reason', async () => {
    store.messages.add(message({ direction: 'out', state: 'queued', level: 'none' }));
    store.messages.add(message());
    const document = JSON.parse(exported(store)) as { accounts: unknown[]; messages: unknown[] };
    const foreign = message();
    document.messages.push(
      { account: 'z', message: foreign },
      { account: 'a', message: { ...foreign, level: 'best' } },
      { account: 'a', message: { ...foreign, at: Infinity } },
      { account: 'a', message: { ...foreign, evidence: { kind: 'made-up' } } },
      { account: 'a', message: { ...foreign, text: undefined } },
      {},
    );
    const other = newStore();
    expect(await imported(other, JSON.stringify(document))).toEqual({
      taken: 1,
      known: 0,
      leftOut: {
        'It had not been sent yet': 1,
        'Its account is not on this device': 1,
        'It is no message of an export': 5,
      },
    });
    expect(other.outbox.count()).toBe(0);
  });

  test.each([
    ['no JSON', 'hello', /cut off/],
    ['another document', '{"messages":[', /another document/],
    [
      'another version',
      '{"format":"tessera-history","version":2,"exportedAt":1,"accounts":[],"messages":[]}',
      /version 1/,
    ],
    [
      'a list of something else',
      '{"format":"tessera-history","version":1,"exportedAt":1,"accounts":[],"messages":[1]}',
      /an object/,
    ],
    [
      'broken JSON',
      '{"format":"tessera-history","version":1,"exportedAt":1,"accounts":[],"messages":[{"a"}]}',
      /not JSON/,
    ],
    [
      'one that was cut',
      '{"format":"tessera-history","version":1,"exportedAt":1,"accounts":[],"messages":[{"a":',
      /cut off/,
    ],
    [
      'a message without end',
      `{"format":"tessera-history","version":1,"exportedAt":1,"accounts":[],"messages":[{"a":"${'x'.repeat(5_000_000)}`,
      /too long/,
    ],
  ])('%s is refused', async (_, text, expected) => {
    await expect(imported(newStore(), text)).rejects.toThrow(expected);
  });

  test('what was read before the cut is kept', async () => {
    for (let n = 0; n < 3; n++) store.messages.add(message());
    const text = exported(store);
    const other = newStore();
    await expect(imported(other, text.slice(0, text.lastIndexOf('{"account"') + 20))).rejects.toThrow(/cut off/);
    expect(other.messages.count()).toBe(2);
  });

  test('whatever the texts are, the same messages come back', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 5 }), fc.integer({ min: 3, max: 200 }), async (texts, cut) => {
        const [from, to] = [newStore(), newStore()];
        for (const each of texts) from.messages.add(message({ text: each }));
        await imported(to, exported(from), cut);
        expect([...to.messages.all()].map((each) => each.text)).toEqual(texts);
      }),
      { seed: 20260731, numRuns: 25 },
    );
  });
});

describe('HTML', () => {
  const page = (from: AccountStore, attachments: Parameters<typeof exportHtml>[1] = []): string =>
    [...exportHtml({ accounts: [{ id: 'a', identity: alice, messages: from.messages }], at: now }, attachments)].join(
      '',
    );

  test('shows each message with its protection in words and its evidence inside', () => {
    for (const evidence of evidences) store.messages.add(message({ evidence }));
    store.messages.add(message({ level: 'unverified', imported: { at: now, level: 'e2e' } }));
    const html = page(store);
    expect(html.match(/<article /g)).toHaveLength(7);
    expect(html.match(/<details>/g)).toHaveLength(7);
    expect(html).toContain(`<summary>${levelWords.e2e}`);
    expect(html).toContain('By the exporter’s word: End to end');
    for (const word of [
      'sip:kms',
      '01.01',
      'gba-aka',
      'relay.lab.test',
      'AES-256-GCM',
      'Fingerprint of the other end',
    ]) {
      expect(html).toContain(word);
    }
    for (const evidence of evidences)
      expect(
        evidenceFacts(evidence)
          .flat()
          .every((word) => word !== ''),
      ).toBe(true);
  });

  test('never claims more than was so', () => {
    expect(protectionWords(message({ state: 'queued', direction: 'out', level: 'none' }))).toBe('Not sent yet');
    expect(protectionWords(message({ state: 'refused', level: 'none' }))).toBe('Nothing left this device');
    expect(protectionWords(message({ level: 'none' }))).toBe('Not encrypted');
  });

  test('runs nothing and fetches nothing, whatever the messages hold', () => {
    const attack = '</p></article><script>alert(1)</script><img src=x onerror="alert(1)">&amp;\u202e\u0000\'';
    store.messages.add(
      message({ text: attack, subject: attack, from: attack, problem: { code: 'timeout', explanation: attack } }),
    );
    const html = page(store, [
      {
        accountId: 'a',
        peer: bob,
        direction: 'in',
        name: attack,
        type: attack,
        at: now,
        copy: 'x-files/javascript:alert(1)"><b>',
      },
    ]);
    const tags = new Set([...html.matchAll(/<([a-z0-9]+)/g)].map(([, name]) => name));
    expect([...tags].filter((name) => ['script', 'img', 'link', 'iframe', 'b'].includes(name!))).toEqual(['b']);
    expect(html).not.toMatch(/<[^>]*\son[a-z]+=/);
    expect(html.match(/<b>/g)).toHaveLength(1);
    expect(html).toContain("default-src 'none'");
    expect([...html.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual([
      './x-files/javascript%3Aalert(1)%22%3E%3Cb%3E',
    ]);
    expect(html).not.toContain('\u0000');
  });

  test('has light and dark, prints, and lists the files of each conversation', () => {
    store.messages.add(message());
    store.messages.add(message({ conversation: carol }));
    const file = {
      accountId: 'a',
      peer: carol,
      direction: 'in',
      name: 'a.pdf',
      type: 'application/pdf',
      size: 5,
      at: now,
    } as const;
    const html = page(store, [file]);
    expect(html).toContain('prefers-color-scheme:dark');
    expect(html).toContain('@media print');
    expect(html.indexOf('a.pdf')).toBeGreaterThan(html.indexOf(`<bdi>${carol}</bdi></h2>`));
    expect(html.match(/a\.pdf/g)).toHaveLength(1);
  });
});
