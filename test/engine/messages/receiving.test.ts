import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { limits } from '../../../src/engine/limits.ts';
import { createMemoryStore, StoreError } from '../../../src/engine/store/index.ts';
import { multipartLimits } from '../../../src/protocol/mime/index.ts';
import { isSealed, sentBy } from '../support/wire.ts';
import { settle, World, type User } from '../support/world.ts';

const aliceUri = 'sip:alice@lab.test';
const bobUri = 'sip:bob@lab.test';
const malloryUri = 'sip:mallory@lab.test';

let world: World;
let bob: User;
let users: User[];

beforeEach(async () => {
  world = new World();
  bob = await world.user('bob');
  users = [bob];
});

afterEach(() => Promise.all(users.map(({ account }) => account.stop())));

async function receive(contentType: string, body: string | Uint8Array, from = aliceUri) {
  const octets = typeof body === 'string' ? utf8(body) : body;
  const { status } = await bob.userAgent.receiveMessage(from, { to: bobUri, contentType, body: octets });
  await settle();
  return status;
}

const cpim = (headers: readonly string[], text = 'hello'): string =>
  [...headers, '', 'Content-Type: text/plain;charset=utf-8', '', text].join('\r\n');

const honest = ['From: Alice <sip:alice@lab.test>', 'To: Bob <sip:bob@lab.test>'];

describe('the envelope of a message', () => {
  test('is kept: when it was written, its subject and its id; names to display are not', async () => {
    const headers = [
      'From: The Bank <sip:alice@lab.test>',
      'To: Bob <sip:bob@lab.test>',
      'DateTime: 2026-03-31T08:00:00+02:00',
      'Subject:;lang=fr Salut',
      'NS: imdn <urn:ietf:params:imdn>',
      'imdn.Message-ID: m1',
      'NS: x <urn:x>',
      'x.Unknown: whatever',
    ];
    expect(await receive('message/cpim', cpim(headers))).toBe(200);
    const [message] = bob.received;
    expect(message).toMatchObject({
      from: aliceUri,
      subject: 'Salut',
      sentAt: Date.UTC(2026, 2, 31, 6),
      messageId: 'm1',
      level: 'e2ae',
    });
    expect(JSON.stringify(message)).not.toContain('Bank');
  });

  test.each([
    ['names what must be understood and is not', [...honest, 'Require: VitalHeader'], 415],
    ['names two senders', [...honest, 'From: <sip:carol@lab.test>'], 400],
    ['has a time that is none', [...honest, 'DateTime: yesterday'], 400],
    ['uses a prefix that it does not declare', [...honest, 'y.Header: 1'], 400],
    ['has more headers than anybody needs', [...honest, ...Array<string>(100).fill('X-Filler: 1')], 400],
  ])('that %s is refused', async (_case, headers, status) => {
    expect(await receive('message/cpim', cpim(headers))).toBe(status);
    expect(bob.received).toEqual([]);
  });

  test('with several recipients is shown in the conversation of them all', async () => {
    await receive('message/cpim', cpim([...honest, 'To: <sip:carol@lab.test>', 'cc: <sip:dora@lab.test>']));
    expect(bob.account.conversations()).toMatchObject([
      { members: [aliceUri, bobUri, 'sip:carol@lab.test', 'sip:dora@lab.test'] },
    ]);
  });
});

describe('who it is from', () => {
  const from = (uri: string): string => cpim([`From: <${uri}>`, 'To: <sip:bob@lab.test>']);

  test.each<[string, string, string | undefined, string, string, string]>([
    // case, SIP From, P-Asserted-Identity, CPIM From, shown from, level
    ['all agree', aliceUri, aliceUri, aliceUri, aliceUri, 'e2ae'],
    ['the network names another', aliceUri, malloryUri, aliceUri, malloryUri, 'unverified'],
    ['only the envelope names another', malloryUri, malloryUri, aliceUri, malloryUri, 'unverified'],
    ['only the request names another', aliceUri, malloryUri, malloryUri, malloryUri, 'unverified'],
    ['the network says nothing', malloryUri, undefined, aliceUri, malloryUri, 'unverified'],
  ])('%s', async (_case, sipFrom, asserted, cpimFrom, shown, level) => {
    world.sip.assertedIdentity = () => asserted;
    await receive('message/cpim', from(cpimFrom), sipFrom);
    expect(bob.received).toMatchObject([{ from: shown, conversation: shown, level }]);
  });

  test('is never the claimed one, however the places are filled (property)', async () => {
    const uri = fc.constantFrom(aliceUri, malloryUri, 'sip:carol@lab.test');
    await fc.assert(
      fc.asyncProperty(uri, uri, uri, async (sipFrom, asserted, cpimFrom) => {
        const before = bob.received.length;
        world.sip.assertedIdentity = () => asserted;
        await receive('message/cpim', from(cpimFrom), sipFrom);
        const isHonest = sipFrom === asserted && cpimFrom === asserted;
        expect(bob.received.slice(before)).toMatchObject([{ from: asserted, level: isHonest ? 'e2ae' : 'unverified' }]);
      }),
      { seed: 3428, numRuns: 27 },
    );
  });
});

describe('bombs', () => {
  const part = (type: string, body: string): string => `--b\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`;
  const nested = (depth: number): string => {
    let body = 'hello';
    let type = 'text/plain';
    for (let level = 0; level < depth; level++) {
      body = `--b${level}\r\nContent-Type: ${type}\r\n\r\n${body}\r\n--b${level}--`;
      type = `multipart/mixed;boundary=b${level}`;
    }
    return `Content-Type: ${type}\r\n\r\n${body}`;
  };

  test.each([
    [
      'parts without end',
      'multipart/mixed;boundary=b',
      `${part('text/plain', 'x').repeat(multipartLimits.maxParts + 1)}--b--`,
      400,
    ],
    ['two texts', 'multipart/mixed;boundary=b', `${part('text/plain', 'x').repeat(2)}--b--`, 415],
    [
      'two lists',
      'multipart/mixed;boundary=b',
      `${part('application/resource-lists+xml', '<a/>').repeat(2)}--b--`,
      415,
    ],
    [
      'a list that is none',
      'multipart/mixed;boundary=b',
      `${part('text/plain', 'x')}${part('application/resource-lists+xml', '<a/>')}--b--`,
      400,
    ],
    ['sealed parts twice', 'multipart/mixed;boundary=b', `${part('application/mikey', 'x').repeat(2)}--b--`, 415],
    ['no end', 'multipart/mixed;boundary=b', part('text/plain', 'x'), 400],
    ['nesting', 'message/cpim', `From: <${aliceUri}>\r\n\r\n${nested(9)}`, 415],
    ['a status of writing as large as a book', 'application/im-iscomposing+xml', ' '.repeat(60_000), 400],
    [
      'a notification with a document type',
      'message/cpim',
      `From: <${aliceUri}>\r\n\r\nContent-Type: message/imdn+xml\r\n\r\n<!DOCTYPE a>`,
      400,
    ],
  ])('%s', async (_case, contentType, body, status) => {
    expect(await receive(contentType, body)).toBe(status);
    expect(bob.received).toEqual([]);
  });

  test('no octets bring it down, and each request is answered (property)', async () => {
    const types = fc.constantFrom(
      'message/cpim',
      'multipart/mixed;boundary=b',
      'text/plain',
      'application/im-iscomposing+xml',
    );
    await fc.assert(
      fc.asyncProperty(types, fc.uint8Array({ maxLength: 300 }), async (type, body) => {
        expect([200, 400, 415, 493]).toContain(await receive(type, body));
      }),
      { seed: 5438, numRuns: 100 },
    );
  });
});

describe('a flood', () => {
  test('of more than can be kept at a time is told to come later, and nothing of it is lost that was taken', async () => {
    let free: () => void = () => undefined;
    const store = createMemoryStore({ reason: 'test' });
    const held = new Promise<void>((resolve) => (free = resolve));
    const account = store.account(bobUri);
    Object.defineProperty(account, 'durable', { value: () => held });
    await world.kill(bob);
    bob = await world.user('bob', { store: { ...store, account: () => account } });
    users.push(bob);
    const count = limits.incomingAtOnce + 20;
    const answers = Array.from({ length: count }, (_, at) =>
      bob.userAgent.receiveMessage(`sip:user${at}@lab.test`, {
        to: bobUri,
        contentType: 'text/plain',
        body: utf8(`${at}`),
      }),
    );
    await settle();
    free();
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 503)).toHaveLength(20);
    expect(statuses.filter((status) => status === 200)).toHaveLength(limits.incomingAtOnce);
    expect(account.messages.count()).toBe(limits.incomingAtOnce);
  });
});

describe('200', () => {
  test.each([false, true])('is not answered while a message is not durable, sealed: %s', async (sealed) => {
    const alice = await world.user('alice');
    users.push(alice);
    const policy = sealed ? 'require-e2e' : 'require-e2ae';
    await alice.account.sendMessage({ to: bobUri, text: 'hello', way: 'message', policy });
    const [message] = sentBy(world, 'alice');
    expect(isSealed(message!)).toBe(sealed);
    const store = createMemoryStore({ reason: 'test' });
    const account = store.account(bobUri);
    const full = new StoreError('full', 'no room');
    Object.defineProperty(account, 'durable', { value: () => Promise.reject(full) });
    await world.kill(bob);
    bob = await world.user('bob', { store: { ...store, account: () => account } });
    users.push(bob);
    const { status } = await bob.userAgent.receiveMessage(aliceUri, message!);
    expect(status).toBe(503);
    expect(bob.received).toEqual([]);
  });
});
