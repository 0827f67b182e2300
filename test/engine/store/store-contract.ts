import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import { limits } from '../../../src/engine/limits.ts';
import type { OutboxEntry, Store } from '../../../src/engine/store/index.ts';
import { bob, chatMessage } from './stored-message.ts';

const carol = 'sip:carol@example.org';

const owed = (id: string, sequence: number, over: Partial<OutboxEntry> = {}): OutboxEntry => ({
  id,
  peer: bob,
  way: 'message',
  policy: 'require-e2e',
  floor: 'e2e',
  sequence,
  attempts: 0,
  uncertain: false,
  expiresAt: 9_000,
  ...over,
});

/** What every store does, wherever it keeps things. */
export function describeStore(name: string, open: () => Store | Promise<Store>): void {
  describe(name, () => {
    let store: Store;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());
    const alice = () => store.account('sip:alice@example.org');
    const ids = (messages: Iterable<ChatMessage>) => [...messages].map(({ id }) => id);

    describe('messages', () => {
      it('come back as they were added', () => {
        const message = chatMessage('m1', {
          subject: 'lunch',
          sentAt: 900,
          messageId: 'imdn-1',
          fromOtherDevice: true,
          direction: 'out',
          text: 'Zoë ☂️ \u0000 \ud800 end',
          problem: { code: 'timeout', text: 'Nobody answered.', isFinal: false } as never,
          evidence: { kind: 'msrp-plain', vouchedBy: 'nobody', notProtected: ['the text'] },
          recipients: [{ address: carol, state: 'sent' }],
        });
        alice().messages.add(message);
        expect(alice().messages.get('m1')).toEqual(message);
        expect(ids(alice().messages.all())).toEqual(['m1']);
        expect(alice().messages.get('m2')).toBeUndefined();
      });

      it('of one id are there once in an account, and in another account too', () => {
        alice().messages.add(chatMessage('m1'));
        expect(() => alice().messages.add(chatMessage('m1', { text: 'other' }))).toThrow();
        store.account('sip:other@example.org').messages.add(chatMessage('m1', { text: 'theirs' }));
        expect(alice().messages.get('m1')?.text).toBe('text of m1');
        expect(alice().messages.count()).toBe(1);
      });

      it('are changed by a patch, and lose a problem that is patched away', () => {
        alice().messages.add(chatMessage('m1', { problem: { code: 'timeout' } as never, state: 'queued' }));
        expect(alice().messages.change('m1', { state: 'sent' })).toMatchObject({ problem: { code: 'timeout' } });
        const sent = alice().messages.change('m1', { state: 'accepted', problem: undefined, text: '', messageId: 'x' });
        expect(sent).toEqual(chatMessage('m1', { state: 'accepted', text: '', messageId: 'x' }));
        expect(alice().messages.get('m1')).toEqual(sent);
        expect(alice().messages.page(bob, 10).messages).toEqual([sent]);
        expect(alice().messages.change('m2', { state: 'sent' })).toBeUndefined();
      });

      it('are found by peer, direction and Message-ID, the newest first', () => {
        alice().messages.add(chatMessage('m1', { messageId: 'same' }));
        alice().messages.add(chatMessage('m2', { messageId: 'same' }));
        alice().messages.add(chatMessage('m3', { messageId: 'same', direction: 'out' }));
        expect(alice().messages.find(bob, 'in', 'same')?.id).toBe('m2');
        expect(alice().messages.find(bob, 'out', 'same')?.id).toBe('m3');
        expect(alice().messages.find(carol, 'in', 'same')).toBeUndefined();
        alice().messages.change('m1', { messageId: 'late' });
        expect(alice().messages.find(bob, 'in', 'late')?.id).toBe('m1');
      });

      it('are read in pages from the newest back, in the order in which they were added', () => {
        for (const id of ['m1', 'm2', 'm3', 'm4', 'm5'])
          alice().messages.add(chatMessage(id, { at: 5_000 - Number(id[1]) }));
        alice().messages.add(chatMessage('c1', { conversation: carol }));
        const newest = alice().messages.page(bob, 2);
        expect([ids(newest.messages), newest.hasMore]).toEqual([['m4', 'm5'], true]);
        const older = alice().messages.page(bob, 3, 'm4');
        expect([ids(older.messages), older.hasMore]).toEqual([['m1', 'm2', 'm3'], false]);
        expect(alice().messages.page(bob, 3, 'm1')).toEqual({ messages: [], hasMore: false });
        expect(alice().messages.page(bob, 3, 'gone')).toEqual({ messages: [], hasMore: false });
        expect(alice().messages.page('sip:nobody@example.org', 3)).toEqual({ messages: [], hasMore: false });
      });

      it('are all there for an export, also more than are read at a time', () => {
        const count = limits.exportedMessagesAtOnce * 2 + 1;
        store.transaction(() => {
          for (let index = 0; index < count; index++) alice().messages.add(chatMessage(`m${index}`));
          alice().messages.add(chatMessage('c1', { conversation: carol }));
        });
        const all = ids(alice().messages.all());
        expect(all).toHaveLength(count + 1);
        expect(new Set(all).size).toBe(count + 1);
        expect(all.at(-1)).toBe('c1');
        expect(ids(alice().messages.all(carol))).toEqual(['c1']);
        expect(ids(alice().messages.all(bob))).toHaveLength(count);
      });
    });

    describe('conversations', () => {
      it('are listed with the newest message first, and count what the user has not seen', () => {
        alice().messages.add(chatMessage('b1'));
        alice().messages.add(chatMessage('c1', { conversation: carol }));
        alice().messages.add(chatMessage('b2', { direction: 'out' }));
        alice().messages.add(chatMessage('b3'));
        expect(alice().messages.conversations()).toEqual([
          { peer: bob, lastMessage: chatMessage('b3'), unread: 2 },
          { peer: carol, lastMessage: chatMessage('c1', { conversation: carol }), unread: 1 },
        ]);
        alice().messages.markRead(bob);
        alice().messages.add(chatMessage('b4'));
        expect(alice().messages.summary(bob)).toEqual({ peer: bob, lastMessage: chatMessage('b4'), unread: 1 });
        expect(alice().messages.summary('sip:nobody@example.org')).toBeUndefined();
      });

      it('count right after messages were removed or changed', () => {
        for (const id of ['m1', 'm2']) alice().messages.add(chatMessage(id));
        alice().messages.markRead(bob);
        for (const id of ['m3', 'm4']) alice().messages.add(chatMessage(id));
        expect(alice().messages.remove('m4')).toEqual(chatMessage('m4'));
        expect(alice().messages.remove('m1')?.id).toBe('m1');
        expect(alice().messages.remove('m1')).toBeUndefined();
        alice().messages.change('m3', { state: 'undecryptable' });
        const lastMessage = chatMessage('m3', { state: 'undecryptable' });
        expect(alice().messages.summary(bob)).toEqual({ peer: bob, lastMessage, unread: 1 });
        alice().messages.remove('m3');
        expect(alice().messages.summary(bob)).toEqual({ peer: bob, lastMessage: chatMessage('m2'), unread: 0 });
        alice().messages.remove('m2');
        expect(alice().messages.conversations()).toEqual([]);
        alice().messages.add(chatMessage('m2'));
        expect(alice().messages.summary(bob)?.unread).toBe(1);
      });

      it('are removed whole', () => {
        for (const id of ['m1', 'm2']) alice().messages.add(chatMessage(id));
        alice().messages.add(chatMessage('c1', { conversation: carol }));
        expect(alice().messages.removeConversation(bob)).toBe(2);
        expect(alice().messages.removeConversation(bob)).toBe(0);
        expect(
          alice()
            .messages.conversations()
            .map(({ peer }) => peer),
        ).toEqual([carol]);
      });

      it('lose what is older than a time, but nothing that is queued', () => {
        alice().messages.add(chatMessage('old', { at: 10 }));
        alice().messages.add(chatMessage('queued', { at: 10, direction: 'out', state: 'queued' }));
        alice().messages.add(chatMessage('new', { at: 20 }));
        alice().messages.add(chatMessage('c-old', { at: 10, conversation: carol }));
        expect(alice().messages.removeOlderThan(20, bob)).toBe(1);
        expect(ids(alice().messages.all())).toEqual(['queued', 'new', 'c-old']);
        expect(alice().messages.removeOlderThan(20)).toBe(1);
        expect(ids(alice().messages.all())).toEqual(['queued', 'new']);
      });

      it('do not lose what is still owed to the other side, though octets of it have left', () => {
        for (const id of ['owed', 'over']) {
          alice().messages.add(chatMessage(id, { at: 1, direction: 'out', state: 'sent' }));
          alice().outbox.put(owed(id, 1, { attempts: 1, uncertain: true }));
        }
        alice().outbox.remove('over');
        store.account('sip:other@example.org').outbox.put(owed('over', 1));
        expect(alice().messages.removeOlderThan(20)).toBe(1);
        alice().messages.add(chatMessage('over', { at: 1, direction: 'out', state: 'sent' }));
        expect(alice().messages.removeOlderThan(20, bob)).toBe(1);
        expect(ids(alice().messages.all())).toEqual(['owed']);
      });
    });

    describe('search', () => {
      const found = (text: string, over: object = {}) =>
        store.search({ text, limit: 10, ...over }).hits.map(({ message }) => message.id);

      beforeEach(() => {
        alice().messages.add(chatMessage('m1', { text: 'The Café in Zürich opens at nine' }));
        alice().messages.add(chatMessage('m2', { text: 'a cafeteria, "quoted" NEAR (things)' }));
        alice().messages.add(chatMessage('m3', { text: 'cafe OR not', conversation: carol }));
        store.account('sip:other@example.org').messages.add(chatMessage('o1', { text: '☂️ umbrella café' }));
      });

      it('finds words and their beginnings without case and diacritics, newest first', () => {
        expect(found('cafe')).toEqual(['o1', 'm3', 'm2', 'm1']);
        expect(found('CAFÉ')).toEqual(['o1', 'm3', 'm2', 'm1']);
        expect(found('zur')).toEqual(['m1']);
        expect(found('afe')).toEqual([]);
      });

      it('wants every word', () => {
        expect(found('nine cafe')).toEqual(['m1']);
        expect(found('nine things')).toEqual([]);
      });

      it.each([
        '"',
        '"quoted',
        'quoted" OR "',
        'NEAR(quoted things)',
        '-quoted',
        'text:quoted',
        '^quoted*',
        "quoted'",
        '{quoted}',
        '\\',
      ])('takes signs and operators for nothing: %s', (text) => {
        const words = text.match(/\w+/g) ?? [];
        const expected = words.every((word) => ['quoted', 'NEAR', 'things'].includes(word)) && words.length > 0;
        expect(found(text)).toEqual(expected ? ['m2'] : []);
      });

      it('finds no place by the words that tell it', () => {
        for (const text of ['c1', 'a1', '\ue000c1', '\ue000a1', 'xa\u19b0bx', '\u0301'])
          expect(found(text)).toEqual([]);
        alice().messages.add(chatMessage('m4', { text: '\ue000c1 \ue000c2 \ue000c3 cafe' }));
        expect(alice().messages.get('m4')?.text).toBe('\ue000c1 \ue000c2 \ue000c3 cafe');
        expect(found('cafe', { peer: carol })).toEqual(['m3']);
      });

      it('finds operators as the words that they are', () => {
        expect(found('or')).toEqual(['m3']);
        expect(found('not or cafe')).toEqual(['m3']);
      });

      it('keeps to an account and to a conversation', () => {
        expect(found('cafe', { accountId: 'sip:other@example.org' })).toEqual(['o1']);
        expect(found('cafe', { accountId: 'sip:alice@example.org' })).toEqual(['m3', 'm2', 'm1']);
        expect(found('cafe', { peer: carol })).toEqual(['m3']);
        expect(found('cafe', { peer: bob })).toEqual(['o1', 'm2', 'm1']);
        expect(found('cafe', { peer: bob, accountId: 'sip:alice@example.org' })).toEqual(['m2', 'm1']);
        expect(found('cafe', { peer: 'sip:nobody@example.org' })).toEqual([]);
        expect(found('cafe', { accountId: 'sip:nobody@example.org' })).toEqual([]);
      });

      it('says where the words are, in units of the text as it is', () => {
        const [hit] = store.search({ text: 'caf umb', limit: 10 }).hits;
        expect(hit?.accountId).toBe('sip:other@example.org');
        expect(hit?.matches.map(({ start, end }) => hit.message.text.slice(start, end))).toEqual(['umbrella', 'café']);
        alice().messages.add(chatMessage('m4', { text: 'Cafe\u0301, caf\u0000 cafés' }));
        const [other] = store.search({ text: 'cafe', limit: 10 }).hits;
        expect(other?.message.id).toBe('m4');
        expect(other?.matches).toEqual([
          { start: 0, end: 5 },
          { start: 12, end: 17 },
        ]);
      });

      it('goes on from page to page, also when newer ones have come', () => {
        const first = store.search({ text: 'cafe', limit: 3 });
        expect(first.hits.map(({ message }) => message.id)).toEqual(['o1', 'm3', 'm2']);
        alice().messages.add(chatMessage('m5', { text: 'cafe' }));
        const second = store.search({ text: 'cafe', limit: 3, after: first.next ?? '' });
        expect(second.hits.map(({ message }) => message.id)).toEqual(['m1']);
        expect(second.next).toBeUndefined();
        expect(() => store.search({ text: 'cafe', limit: 201 })).toThrow(RangeError);
        expect(() => store.search({ text: 'cafe', limit: 0 })).toThrow(RangeError);
      });

      it('follows a text that changes or goes', () => {
        alice().messages.change('m1', { text: 'decrypted later' });
        expect(found('later')).toEqual(['m1']);
        expect(found('zurich')).toEqual([]);
        alice().messages.remove('m1');
        alice().messages.removeConversation(carol);
        expect(found('later')).toEqual([]);
        expect(found('cafe')).toEqual(['o1', 'm2']);
      });
    });

    describe('outbox', () => {
      it('lists what is owed in order, and counts on from the highest that was ever put', () => {
        const { outbox } = alice();
        expect(outbox.nextSequence()).toBe(1);
        outbox.put(owed('m2', 2, { notBefore: 5, recipients: [carol] }));
        outbox.put(owed('m1', 1));
        outbox.put(owed('c1', 3, { peer: carol }));
        expect(outbox.list().map(({ id }) => id)).toEqual(['m1', 'm2', 'c1']);
        expect(outbox.list(bob)).toEqual([owed('m1', 1), owed('m2', 2, { notBefore: 5, recipients: [carol] })]);
        outbox.put(owed('m1', 1, { attempts: 1, uncertain: true }));
        expect(outbox.get('m1')).toEqual(owed('m1', 1, { attempts: 1, uncertain: true }));
        outbox.remove('c1');
        expect(outbox.get('c1')).toBeUndefined();
        expect([outbox.count(), outbox.nextSequence()]).toEqual([2, 4]);
        expect(store.account('sip:other@example.org').outbox.nextSequence()).toBe(1);
      });
    });

    describe('what was seen', () => {
      it('is known until its time is over', () => {
        const { seen } = alice();
        expect(seen.add(utf8('key'), 100, 10, bob)).toBe('fresh');
        expect(seen.add(utf8('key'), 200, 20, bob)).toBe('replayed');
        expect([seen.has(utf8('key'), 99), seen.has(utf8('key'), 100), seen.has(utf8('kex'), 10)]).toEqual([
          true,
          false,
          false,
        ]);
        expect(seen.add(utf8('key'), 300, 150, bob)).toBe('fresh');
        expect(seen.has(utf8('key'), 250)).toBe(true);
        expect(store.account('sip:other@example.org').seen.has(utf8('key'), 160)).toBe(false);
        expect(() => seen.add(new Uint8Array(limits.seenKeyOctets + 1), 100, 10, bob)).toThrow(RangeError);
      });

      const key = (index: number) => Uint8Array.of(index >> 16, index >> 8, index);

      it('is forgotten after its time only, never to make room', () => {
        const { seen } = alice();
        const one = (index: number) => `sip:${index % 5}@example.org`;
        const next = limits.seenEntries;
        store.transaction(() => {
          for (let index = 0; index < next; index++) seen.add(key(index), index === 0 ? 50 : 100, 10, one(index));
        });
        expect([seen.isFull(49, bob), seen.add(key(next), 100, 49, bob)]).toEqual([true, 'full']);
        expect(seen.add(key(1), 100, 49, bob)).toBe('replayed');
        expect([seen.isFull(50, bob), seen.add(key(next), 100, 50, bob)]).toEqual([false, 'fresh']);
        expect(seen.add(key(next + 1), 100, 50, bob)).toBe('full');
      }, 120_000);

      it('of one sender uses up what one may, and the others nothing', () => {
        const { seen } = alice();
        const most = limits.seenEntriesOfSender;
        store.transaction(() => {
          for (let index = 0; index < most; index++) seen.add(key(index), index === 0 ? 50 : 100, 10, bob);
        });
        expect([seen.isFull(49, bob), seen.add(key(most), 100, 49, bob)]).toEqual([true, 'full']);
        expect([seen.isFull(49, carol), seen.add(key(most), 100, 49, carol)]).toEqual([false, 'fresh']);
        expect(seen.add(key(0), 100, 50, carol)).toBe('fresh');
        expect([seen.add(key(most + 1), 100, 50, bob), seen.isFull(50, bob)]).toEqual(['fresh', true]);
        expect(() =>
          store.transaction(() => {
            seen.add(key(1), 300, 200, carol);
            throw new Error('taken back');
          }),
        ).toThrow('taken back');
        expect([seen.isFull(50, bob), seen.has(key(1), 50)]).toEqual([true, true]);
      }, 120_000);
    });

    describe('what waits for its key', () => {
      it('is kept octet for octet, oldest first', () => {
        const { sealed } = alice();
        const message = (id: string, receivedAt: number) => ({
          id,
          contentType: 'multipart/mixed',
          body: Uint8Array.of(0, 255, 10),
          asserted: bob,
          receivedAt,
        });
        sealed.put({ ...message('m2', 20), validUntil: 30 });
        sealed.put(message('m1', 10));
        expect(sealed.list()).toEqual([message('m1', 10), { ...message('m2', 20), validUntil: 30 }]);
        sealed.remove('m2');
        expect([sealed.get('m1'), sealed.get('m2')]).toEqual([message('m1', 10), undefined]);
        expect(() => sealed.put({ ...message('m3', 1), body: new Uint8Array(limits.sealedOctets + 1) })).toThrow(
          RangeError,
        );
      });
    });

    describe('notes', () => {
      it.each([
        ['of an account', () => alice().notes],
        ['of no account', () => store.notes],
      ] as const)('%s', (_name, of) => {
        const notes = of();
        notes.set('policy', 'b', { level: 'e2e', list: [1, null, 'ü'] });
        notes.set('policy', 'a/1', true);
        notes.set('policy', 'a/2', 2);
        notes.set('policy', 'a%2', 3);
        notes.set('other', 'a/1', 'else');
        notes.set('policy', 'a/2', 4);
        expect(notes.get('policy', 'b')).toEqual({ level: 'e2e', list: [1, null, 'ü'] });
        expect(notes.list('policy', 'a/')).toEqual([
          { key: 'a/1', value: true },
          { key: 'a/2', value: 4 },
        ]);
        expect(notes.list('policy').map(({ key }) => key)).toEqual(['a%2', 'a/1', 'a/2', 'b']);
        notes.delete('policy', 'a/1');
        notes.delete('policy', 'none');
        expect([notes.get('policy', 'a/1'), notes.get('other', 'a/1')]).toEqual([undefined, 'else']);
        expect(() => notes.set('policy', 'long', 'x'.repeat(limits.noteOctets))).toThrow(RangeError);
        expect(store.account('sip:other@example.org').notes.list('policy')).toEqual([]);
      });
    });

    describe('a transaction', () => {
      it('takes back what it wrote when it throws, and nothing else', () => {
        const account = alice();
        account.messages.add(chatMessage('before'));
        account.notes.set('kind', 'key', 1);
        const work = () => {
          account.messages.add(chatMessage('in-it'));
          account.messages.add(chatMessage('c1', { conversation: carol, text: 'vanishing' }));
          account.messages.change('before', { state: 'refused', text: '' });
          account.messages.markRead(bob);
          account.outbox.put(owed('in-it', 7));
          account.seen.add(utf8('key'), 100, 10, bob);
          account.notes.set('kind', 'key', 2);
          store.account('sip:new@example.org').notes.set('kind', 'key', 3);
          account.messages.remove('before');
          throw new Error('no');
        };
        expect(() => store.transaction(work)).toThrow('no');
        expect([...account.messages.all()]).toEqual([chatMessage('before')]);
        expect(account.messages.conversations()).toEqual([
          { peer: bob, lastMessage: chatMessage('before'), unread: 1 },
        ]);
        expect(store.search({ text: 'vanishing', limit: 10 }).hits).toEqual([]);
        expect([account.outbox.count(), account.outbox.nextSequence()]).toEqual([0, 1]);
        expect(account.seen.has(utf8('key'), 10)).toBe(false);
        expect(account.notes.get('kind', 'key')).toBe(1);
        store.account('sip:new@example.org').notes.set('kind', 'key', 4);
        expect(store.account('sip:new@example.org').notes.get('kind', 'key')).toBe(4);
      });

      it('with nothing before it is taken back whole, and is no part of what comes after', async () => {
        const account = alice();
        account.messages.add(chatMessage('before'));
        await store.durable();
        const work = () => {
          account.messages.add(chatMessage('in-it'));
          throw new Error('no');
        };
        expect(() => store.transaction(work)).toThrow('no');
        account.messages.add(chatMessage('after'));
        await store.durable();
        expect(ids(account.messages.all())).toEqual(['before', 'after']);
      });

      it('within another is taken back alone', () => {
        const account = alice();
        const result = store.transaction(() => {
          account.messages.add(chatMessage('m1'));
          const inner = () =>
            account.transaction(() => {
              account.messages.add(chatMessage('m2'));
              throw new Error('no');
            });
          expect(inner).toThrow('no');
          account.messages.add(chatMessage('m3'));
          return 'done';
        });
        expect(result).toBe('done');
        expect(ids(account.messages.all())).toEqual(['m1', 'm3']);
      });
    });

    it('removes all of an account and nothing of another', () => {
      for (const id of ['sip:alice@example.org', 'sip:other@example.org']) {
        const account = store.account(id);
        account.messages.add(chatMessage('m1'));
        account.outbox.put(owed('m1', 4));
        account.seen.add(utf8('key'), 100, 10, bob);
        account.notes.set('kind', 'key', 1);
        account.sealed.put({ id: 'm1', contentType: 'a/b', body: Uint8Array.of(1), asserted: bob, receivedAt: 1 });
      }
      expect(store.accounts()).toEqual(['sip:alice@example.org', 'sip:other@example.org']);
      const account = alice();
      store.removeAccount('sip:alice@example.org');
      const left = ({ messages, outbox, seen, notes, sealed }: typeof account) => [
        messages.count(),
        messages.conversations().length,
        outbox.count(),
        outbox.nextSequence(),
        seen.has(utf8('key'), 10),
        notes.list('kind').length,
        sealed.list().length,
      ];
      expect(left(account)).toEqual([0, 0, 0, 1, false, 0, 0]);
      expect(left(store.account('sip:other@example.org'))).toEqual([1, 1, 1, 5, true, 1, 1]);
      expect(store.search({ text: 'text', limit: 10 }).hits.map(({ accountId }) => accountId)).toEqual([
        'sip:other@example.org',
      ]);
      account.messages.add(chatMessage('m1'));
      expect(account.messages.count()).toBe(1);
    });

    it('says when what was written is durable', async () => {
      alice().messages.add(chatMessage('m1'));
      await store.durable();
      await alice().durable();
      expect(alice().messages.count()).toBe(1);
    });
  });
}
