import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ReceiptsConfig } from '../../../src/engine/account-config.ts';
import { limits } from '../../../src/engine/limits.ts';
import { writeReceiptContent, writeTextContent } from '../../../src/engine/message-content.ts';
import { createMemoryStore } from '../../../src/engine/store/index.ts';
import type { ImdnPayload } from '../../../src/protocol/imdn/index.ts';
import { headerValue } from '../../../src/protocol/mime/index.ts';
import { contentOf, cpimOf, isSealed, receiptsIn, sentBy } from '../support/wire.ts';
import { settle, World, type User, type UserOptions } from '../support/world.ts';

const aliceUri = 'sip:alice@lab.test';
const bobUri = 'sip:bob@lab.test';
const all = { delivery: true, failure: true, display: true, processing: true };

let world: World;
let users: User[];

beforeEach(() => {
  world = new World();
  users = [];
});

afterEach(async () => {
  await Promise.all(users.map(({ account }) => account.stop()));
  expect(world.clock.waiting).toBe(0);
});

async function user(name: string, options: UserOptions = {}): Promise<User> {
  const made = await world.user(name, { receipts: {}, ...options });
  users.push(made);
  return made;
}

async function send(from: User, policy: 'require-e2e' | 'require-e2ae' = 'require-e2e', text = 'hello') {
  const outcome = await from.account.sendMessage({ to: bobUri, text, way: 'message', policy });
  await settle();
  return outcome.outcome === 'sent' ? outcome.message : undefined;
}

const stateOf = (of: User, id = ''): string | undefined => of.account.history.get(id)?.state;

async function see(reader: User): Promise<void> {
  const last = reader.received.at(-1);
  reader.account.markDisplayed(last?.conversation ?? '', last?.id ?? '');
  await settle();
}

describe('receipts of a message', () => {
  test.each(['require-e2e', 'require-e2ae'] as const)(
    'tell its delivery and its display, each once and protected as it was: %s',
    async (policy) => {
      const [alice, bob] = [await user('alice'), await user('bob')];
      const sent = await send(alice, policy);
      expect(stateOf(alice, sent?.id)).toBe('delivered');
      await see(bob);
      await see(bob);
      expect(stateOf(alice, sent?.id)).toBe('displayed');
      // One text, two receipts, and no receipt for a receipt.
      expect(world.sip.messages).toHaveLength(3);
      expect(sentBy(world, 'bob').map(isSealed)).toEqual(Array(2).fill(policy === 'require-e2e'));
    },
  );

  test('have the form of RFC 5438: notification, own id, no wishes, whose message and when it was sent', async () => {
    const [alice] = [await user('alice'), await user('bob')];
    const sent = await send(alice, 'require-e2ae');
    const [receipt] = sentBy(world, 'bob');
    const cpim = cpimOf(receipt!);
    expect(receipt?.to).toBe(aliceUri);
    expect(cpim).toMatchObject({ from: { uri: bobUri }, to: [{ uri: aliceUri }], dispositions: [] });
    expect(cpim.messageId).not.toBe(sent?.id);
    expect(headerValue(cpim.content.headers, 'Content-Disposition')).toBe('notification');
    expect(contentOf(receipt!)).toMatchObject({
      receipts: [
        { kind: 'delivery', status: 'delivered', messageId: sent?.id, dateTime: sent?.at, recipientUri: bobUri },
      ],
    });
  });

  test('go by way of those who recorded their route, in their order (RFC 5438 7.2.1)', async () => {
    const bob = await user('bob');
    const { contentType, body } = writeTextContent(
      { from: aliceUri, to: [bobUri], at: world.clock.now(), messageId: 'm1', subject: 'a\u0000b' },
      'hi',
      all,
    );
    const routed = new TextDecoder()
      .decode(body)
      .replace(
        'NS: imdn',
        'NS: r <urn:ietf:params:imdn>\r\nr.IMDN-Record-Route: <sip:near@lab.test>\r\nr.IMDN-Record-Route: <sip:far@lab.test>\r\nr.Original-To: <sip:lists@lab.test>\r\nNS: imdn',
      );
    await bob.userAgent.receiveMessage(aliceUri, { to: bobUri, contentType, body: new TextEncoder().encode(routed) });
    await settle();
    const [receipt] = sentBy(world, 'bob');
    expect(receipt?.to).toBe('sip:near@lab.test');
    expect(cpimOf(receipt!)).toMatchObject({
      to: [{ uri: aliceUri }],
      route: [{ uri: 'sip:near@lab.test' }, { uri: 'sip:far@lab.test' }],
    });
    expect(contentOf(receipt!)).toMatchObject({
      receipts: [{ originalRecipientUri: 'sip:lists@lab.test', subject: 'a b' }],
    });
  });

  test('wait for their key, and never go without it', async () => {
    const [alice, bob] = [await user('alice'), await user('bob')];
    // Bob's device may open what comes, and gets no key of its own.
    const exchange = world.kms.exchange.bind(world.kms);
    let isAway = false;
    world.kms.exchange = (kind, ...asked) =>
      kind === 'ticketrequest' && isAway
        ? Promise.resolve({ status: 503, message: undefined })
        : exchange(kind, ...asked);
    await alice.account.sendMessage({ to: bobUri, text: 'before', way: 'message', policy: 'require-e2e' });
    isAway = true;
    await settle();
    await settle();
    expect(bob.received).toHaveLength(1);
    await world.pass(limits.receiptRetryMilliseconds * 4);
    expect(sentBy(world, 'bob')).toEqual([]);
    isAway = false;
    await world.pass(limits.receiptRetryLongestMilliseconds);
    expect(sentBy(world, 'bob').map(isSealed)).toEqual([true]);
    expect(alice.account.conversations()[0]?.messages).toMatchObject([{ state: 'delivered' }]);
  });

  test('that are owed are paid after a restart', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const [alice, bob] = [await user('alice'), await user('bob', { store })];
    bob.userAgent.registration = { state: 'unregistered' };
    const sent = await send(alice);
    expect(stateOf(alice, sent?.id)).toBe('accepted');
    await world.kill(bob);
    const again = await user('bob', { store });
    await settle();
    await settle();
    expect(stateOf(alice, sent?.id)).toBe('delivered');
    const [kept] = again.account.conversations()[0]?.messages ?? [];
    again.account.markDisplayed(aliceUri, kept?.id ?? '');
    await settle();
    expect(stateOf(alice, sent?.id)).toBe('displayed');
  });

  test('of a copy are none', async () => {
    const [alice, bob] = [await user('alice'), await user('bob')];
    await send(alice, 'require-e2ae');
    const [{ message }] = world.sip.messages as [(typeof world.sip.messages)[number]];
    await bob.userAgent.receiveMessage(aliceUri, message);
    await settle();
    expect(receiptsIn(sentBy(world, 'bob'))).toEqual(['delivery delivered']);
  });

  test('are none of a message whose sender is in doubt', async () => {
    const [alice, bob] = [await user('alice'), await user('bob')];
    bob.account.setContactPolicy(aliceUri, 'require-e2e');
    // The network names somebody else than the ticket does: in doubt, and that is not enough here; nobody is told anything.
    world.sip.assertedIdentity = (from) => (from === aliceUri ? 'sip:mallory@lab.test' : from);
    const doubtful = await send(alice);
    expect([bob.received, stateOf(alice, doubtful?.id)]).toEqual([[], 'accepted']);
  });
});

describe('switches', () => {
  const deliveryAndDisplay = ['delivery delivered', 'display displayed'];
  test.each<[string, ReceiptsConfig, ReceiptsConfig | undefined, readonly string[]]>([
    ['all by default', {}, undefined, deliveryAndDisplay],
    ['no delivery', { delivery: false }, undefined, ['display displayed']],
    ['no display', { display: false }, undefined, ['delivery delivered']],
    ['nothing', { delivery: false, display: false }, undefined, []],
    [
      'nothing, and says so',
      { delivery: false, display: false, sayForbidden: true },
      undefined,
      ['delivery forbidden', 'display forbidden'],
    ],
    ['nothing but to this contact', { delivery: false, display: false }, { delivery: true }, ['delivery delivered']],
    ['all but to this contact', {}, { display: false }, ['delivery delivered']],
  ])('tell %s', async (_case, account, contact, expected) => {
    const [alice, bob] = [await user('alice'), await user('bob', { receipts: account })];
    bob.account.setContactReceipts(aliceUri, contact);
    await send(alice, 'require-e2ae');
    await see(bob);
    expect([...receiptsIn(sentBy(world, 'bob'))].sort()).toEqual(expected);
  });

  test.each<[string, ReceiptsConfig, ReceiptsConfig | undefined, readonly string[]]>([
    ['all by default', {}, undefined, ['positive-delivery', 'negative-delivery', 'display']],
    ['no display', { askDisplay: false }, undefined, ['positive-delivery', 'negative-delivery']],
    ['processing', { askDelivery: false, askDisplay: false, askProcessing: true }, undefined, ['processing']],
    ['nothing', { askDelivery: false, askDisplay: false }, undefined, []],
    ['nothing of this contact', {}, { askDelivery: false, askDisplay: false }, []],
  ])('ask for %s', async (_case, account, contact, expected) => {
    const alice = await user('alice', { receipts: account });
    await user('bob');
    alice.account.setContactReceipts(bobUri, contact);
    await send(alice, 'require-e2ae');
    expect(cpimOf(sentBy(world, 'alice')[0]!).dispositions).toEqual(expected);
  });

  test('of a contact outlive the program, and end when they are taken away', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const [alice, bob] = [await user('alice'), await user('bob', { store })];
    bob.account.setContactReceipts(aliceUri, { delivery: false });
    await world.kill(bob);
    const again = await user('bob', { store });
    await send(alice, 'require-e2ae');
    expect(sentBy(world, 'bob')).toEqual([]);
    again.account.setContactReceipts(aliceUri, undefined);
    await send(alice, 'require-e2ae', 'more');
    expect(receiptsIn(sentBy(world, 'bob'))).toEqual(['delivery delivered']);
  });
});

describe('storms', () => {
  test('do not begin with a peer that answers 415 to a receipt, for a month and over restarts', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const [alice, bob] = [await user('alice'), await user('bob', { store })];
    const receive = alice.userAgent.receiveMessage.bind(alice.userAgent);
    const unsupported = { ...(await alice.userAgent.receiveMessage(bobUri, plain('x', 'first'))), status: 415 };
    alice.userAgent.receiveMessage = () => Promise.resolve(unsupported);
    for (let count = 0; count < 3; count++) await send(alice, 'require-e2ae', `${count}`);
    expect(sentBy(world, 'bob')).toHaveLength(1);
    await world.kill(bob);
    await user('bob', { store });
    await send(alice, 'require-e2ae', 'after the restart');
    expect(sentBy(world, 'bob')).toHaveLength(1);
    world.clock.advance(limits.peerRefusalMilliseconds);
    alice.userAgent.receiveMessage = receive;
    await send(alice, 'require-e2ae', 'after a month');
    expect(sentBy(world, 'bob')).toHaveLength(2);
  });

  test('are slowed down: a burst, and then one in a while', async () => {
    const bob = await user('bob');
    await user('alice');
    for (let count = 0; count < limits.receiptBurst + 5; count++) {
      await bob.userAgent.receiveMessage(aliceUri, plain(`m${count}`, 'x'));
    }
    await settle();
    expect(sentBy(world, 'bob')).toHaveLength(limits.receiptBurst);
    await world.pass(limits.receiptGapMilliseconds * 5);
    expect(sentBy(world, 'bob')).toHaveLength(limits.receiptBurst + 5);
  });

  test('are not asked for: no wish in a receipt is heard', async () => {
    const alice = await user('alice');
    const receipt: ImdnPayload = { kind: 'delivery', status: 'delivered', messageId: 'm1', dateTime: 0 };
    const { contentType, body } = writeReceiptContent(
      { from: bobUri, to: [aliceUri], at: 0, messageId: 'imdn-1' },
      receipt,
      [],
    );
    const asking = new TextDecoder()
      .decode(body)
      .replace(
        'NS: imdn',
        'NS: w <urn:ietf:params:imdn>\r\nw.Disposition-Notification: positive-delivery, display\r\nNS: imdn',
      );
    await alice.userAgent.receiveMessage(bobUri, { to: aliceUri, contentType, body: new TextEncoder().encode(asking) });
    await settle();
    expect(world.sip.messages).toEqual([]);
  });
});

describe('a receipt that proves nothing', () => {
  const forged = (messageId: string, from: string, status: 'delivered' | 'displayed' = 'displayed') => {
    const kind = status === 'delivered' ? 'delivery' : 'display';
    const envelope = { from, to: [aliceUri], at: 0, messageId: `imdn-${messageId}` };
    return { to: aliceUri, ...writeReceiptContent(envelope, { kind, status, messageId, dateTime: 0 }, []) };
  };

  test('moves no message: less protected than it, from somebody else, or in another name', async () => {
    const [alice] = [await user('alice'), await user('bob'), await user('mallory')];
    const sealed = await send(alice);
    await alice.userAgent.receiveMessage(bobUri, forged(sealed?.id ?? '', bobUri));
    const open = await send(alice, 'require-e2ae');
    await alice.userAgent.receiveMessage('sip:mallory@lab.test', forged(open?.id ?? '', 'sip:mallory@lab.test'));
    await alice.userAgent.receiveMessage('sip:mallory@lab.test', forged(open?.id ?? '', bobUri));
    await settle();
    expect([stateOf(alice, sealed?.id), stateOf(alice, open?.id)]).toEqual(['delivered', 'delivered']);
    await alice.userAgent.receiveMessage(bobUri, forged(open?.id ?? '', bobUri));
    await settle();
    expect(stateOf(alice, open?.id)).toBe('displayed');
    await alice.userAgent.receiveMessage(bobUri, forged(open?.id ?? '', bobUri, 'delivered'));
    await settle();
    expect(stateOf(alice, open?.id)).toBe('displayed');
  });
});

function plain(messageId: string, text: string) {
  const envelope = { from: aliceUri, to: [bobUri], at: 0, messageId };
  return { to: bobUri, ...writeTextContent(envelope, text, all) };
}
