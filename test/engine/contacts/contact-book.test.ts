import { beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import {
  ContactBook,
  ContactPolicyLink,
  type Contact,
  type ContactChange,
  type ContactDraft,
} from '../../../src/engine/contacts/index.ts';
import { limits } from '../../../src/engine/limits.ts';
import { MemoryNotes } from '../support/memory-notes.ts';
import { settle, World } from '../support/world.ts';

const clock = new FakeClock();
let notes: MemoryNotes;
let book: ContactBook;
let changes: ContactChange[];

function open(): ContactBook {
  return new ContactBook({ notes, clock, random: secureRandom, log: silentLogger });
}

function kept(draft: ContactDraft): Contact {
  const outcome = book.put(draft);
  if (outcome.outcome === 'refused') throw new Error(outcome.problem.explanation);
  return outcome.contact;
}

beforeEach(() => {
  notes = new MemoryNotes();
  book = open();
  changes = [];
  book.events.on('contact', (change) => changes.push(change));
});

describe('the book', () => {
  test('keeps contacts over a restart and finds them by any form of any address', () => {
    const alice = kept({
      name: '  Alice\u0000 ',
      addresses: ['SIP:alice@Example.org;transport=tls', 'sip:alice@example.org', 'tel:+1-555-0100'],
      receipts: { display: false },
      policy: 'require-e2e',
      accountPolicies: { a: 'any' },
    });
    expect(alice).toMatchObject({ name: 'Alice', addresses: ['sip:alice@example.org', 'tel:+15550100'] });
    const again = open();
    expect(again.list()).toEqual([alice]);
    expect(again.find('sips:alice@example.ORG:5061')).toEqual(alice);
    expect(again.find('tel:+1(555)0100')).toEqual(alice);
    expect(again.find('nonsense')).toBeUndefined();
  });

  test('a change keeps id and age and takes away what is not written; removing tells it', () => {
    const before = kept({ name: 'A', addresses: ['sip:a@x.org', 'sip:b@x.org'], note: 'n' });
    clock.advance(1000);
    const contact = kept({ id: before.id, name: 'A', addresses: ['sip:b@x.org'] });
    expect(contact).toMatchObject({ id: before.id, createdAt: before.createdAt, changedAt: before.createdAt + 1000 });
    expect(contact.note).toBeUndefined();
    expect(book.find('sip:a@x.org')).toBeUndefined();
    expect(book.remove(contact.id)).toEqual(contact);
    expect(book.remove(contact.id)).toBeUndefined();
    expect(open().size).toBe(0);
    expect(changes).toEqual([
      { change: 'put', contact: before },
      { change: 'put', contact, before },
      { change: 'removed', contact },
    ]);
  });

  test.each([
    ['no address', { name: 'A', addresses: [] }, 'addresses'],
    ['a local number', { name: 'A', addresses: ['tel:123'] }, 'addresses'],
    ['a page', { name: 'A', addresses: ['https://x.org'] }, 'addresses'],
    ['too many', { name: 'A', addresses: Array.from({ length: 33 }, (_, n) => `sip:${n}@x.org`) }, 'addresses'],
    ['a long name', { name: 'x'.repeat(257), addresses: ['sip:a@x.org'] }, 'name'],
    ['a long note', { name: 'A', note: 'x'.repeat(8193), addresses: ['sip:a@x.org'] }, 'note'],
    ['no picture', { name: 'A', photo: Uint8Array.of(1, 2), addresses: ['sip:a@x.org'] }, 'photo'],
    [
      'broken base64',
      { name: 'A', photo: { contentType: 'image/png', base64: '%' }, addresses: ['sip:a@x.org'] },
      'photo',
    ],
    ['no such contact', { id: 'x', name: 'A', addresses: ['sip:a@x.org'] }, 'id'],
  ] as const)('refuses %s', (_, draft, field) => {
    expect(book.put(draft)).toMatchObject({ outcome: 'refused', problem: { field } });
    expect(book.size).toBe(0);
  });

  test('an address belongs to one contact; a full book takes no more', () => {
    const alice = kept({ name: 'A', addresses: ['sip:a@x.org'] });
    expect(book.put({ name: 'B', addresses: ['sip:b@x.org', 'sips:a@X.org'] })).toMatchObject({
      outcome: 'refused',
      problem: { field: 'addresses', other: alice.id },
    });
    for (let n = 1; n < limits.contacts; n++) book.put({ name: 'n', addresses: [`sip:n${n}@x.org`] });
    expect(book.size).toBe(limits.contacts);
    expect(book.put({ name: 'B', addresses: ['sip:late@x.org'] })).toMatchObject({ problem: { field: 'book' } });
  });

  test('merges duplicates: all addresses, the strictest policy, nothing lost', () => {
    const one = kept({
      name: 'José',
      addresses: ['sip:a@x.org'],
      note: 'one',
      policy: 'any',
      accountPolicies: { w: 'any' },
    });
    const two = kept({
      name: 'jose',
      addresses: ['tel:+1'],
      note: 'two',
      organisation: 'ABC',
      policy: 'require-e2e',
      accountPolicies: { w: 'require-e2ae' },
    });
    kept({ name: 'Bob', addresses: ['sip:bob@x.org'] });
    expect(book.duplicates()).toEqual([{ by: 'name', contacts: expect.arrayContaining([one, two]) as Contact[] }]);
    expect(book.merge([one.id, two.id])).toMatchObject({
      outcome: 'kept',
      contact: {
        id: one.id,
        name: 'José',
        addresses: ['sip:a@x.org', 'tel:+1'],
        note: 'one\ntwo',
        organisation: 'ABC',
        policy: 'require-e2e',
        accountPolicies: { w: 'require-e2ae' },
      },
    });
    expect(book.get(two.id)).toBeUndefined();
    expect(book.find('tel:+1')?.id).toBe(one.id);
    expect(book.merge([one.id, one.id])).toMatchObject({ outcome: 'refused' });
    expect(book.merge([one.id, 'none'])).toMatchObject({ outcome: 'refused' });
    expect(book.duplicates()).toEqual([]);
  });

  test('a note that is no contact is passed over', () => {
    for (const [key, value] of [
      ['a', null],
      ['b', { name: 'x' }],
      ['c', { name: 'x', addresses: [1] }],
    ] as const) {
      notes.set('contact', key, value);
    }
    const alice = kept({ name: 'A', addresses: ['sip:a@x.org'] });
    expect(open().list()).toEqual([alice]);
  });
});

describe('policies of a contact', () => {
  test('count for all its addresses in every account, and for one account where that is said', async () => {
    const world = new World();
    const [me, work] = [await world.user('me'), await world.user('work')];
    const link = new ContactPolicyLink(book);
    const draft = {
      name: 'A',
      addresses: ['sip:a@lab.test', 'tel:+1'],
      policy: 'require-e2e',
      accountPolicies: { 'sip:work@lab.test': 'any' },
    } as const;
    const { id } = kept(draft);
    link.attach(me.account);
    link.attach(work.account);
    expect(['sip:a@lab.test', 'tel:+1'].map((peer) => me.account.contactPolicy(peer))).toEqual([
      'require-e2e',
      'require-e2e',
    ]);
    expect(work.account.contactPolicy('tel:+1')).toBe('any');

    kept({ ...draft, id, addresses: ['tel:+1', 'tel:+2'] });
    expect(['sip:a@lab.test', 'tel:+1', 'tel:+2'].map((peer) => me.account.contactPolicy(peer))).toEqual([
      undefined,
      'require-e2e',
      'require-e2e',
    ]);

    // What is set for one address of it counts for the contact, in that account.
    me.account.setContactPolicy('tel:+2', 'require-e2ae');
    expect(me.account.contactPolicy('tel:+1')).toBe('require-e2ae');
    expect(work.account.contactPolicy('tel:+1')).toBe('any');
    expect(book.get(id)?.accountPolicies).toEqual({ 'sip:me@lab.test': 'require-e2ae', 'sip:work@lab.test': 'any' });
    me.account.setContactPolicy('tel:+1', undefined);
    expect(me.account.contactPolicy('tel:+2')).toBeUndefined();
    expect(work.account.contactPolicy('tel:+2')).toBe('any');

    book.remove(id);
    expect(work.account.contactPolicy('tel:+1')).toBeUndefined();
    await Promise.all([me.account.stop(), work.account.stop()]);
  });

  test('receipts of a contact are set for all its addresses in every account, and taken back', () => {
    const set: [string, unknown][] = [];
    const account = {
      config: { id: 'a' },
      events: { on: () => () => undefined },
      contactPolicy: () => undefined,
      setContactPolicy: () => undefined,
      setContactReceipts: (address: string, receipts: unknown) => set.push([address, receipts]),
    };
    const link = new ContactPolicyLink(book);
    const draft = { name: 'A', addresses: ['sip:a@x.org', 'tel:+1'], receipts: { display: false } };
    const { id } = kept(draft);
    link.attach(account as never);
    kept({ ...draft, id, addresses: ['tel:+1'] });
    kept({ id, name: 'A', addresses: ['tel:+1'] });
    expect(set).toEqual([
      ['sip:a@x.org', { display: false }],
      ['tel:+1', { display: false }],
      ['sip:a@x.org', undefined],
      ['tel:+1', { display: false }],
      ['tel:+1', undefined],
    ]);
  });

  test('what does not change ends no consent and no session', async () => {
    const world = new World();
    const [me, bob] = [await world.user('me', { noKms: true }), await world.user('bob', { noKms: true })];
    const draft = { name: 'B', addresses: ['sip:bob@lab.test'], policy: 'prefer-e2e' } as const;
    const link = new ContactPolicyLink(book);
    const { id } = kept(draft);
    link.attach(me.account);
    const send = { to: 'sip:bob@lab.test', text: 'hello', way: 'message' } as const;
    expect(await me.account.sendMessage(send)).toMatchObject({
      outcome: 'refused',
      refusal: { code: 'consent-required' },
    });
    expect(await me.account.sendMessage({ ...send, consent: true })).toMatchObject({ outcome: 'sent' });
    kept({ ...draft, id, note: 'a friend' });
    link.detach(me.account.config.id);
    link.attach(me.account);
    expect(await me.account.sendMessage(send)).toMatchObject({ outcome: 'sent' });
    kept({ ...draft, id, policy: 'require-e2e' });
    expect(await me.account.sendMessage(send)).toMatchObject({ outcome: 'refused' });
    await settle();
    await Promise.all([me.account.stop(), bob.account.stop()]);
  });
});
