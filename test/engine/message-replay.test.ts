import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../../src/engine/limits.ts';
import { decodeMessage, encodeMessage } from '../../src/protocol/mikey/index.ts';
import { decodeMultipart, parseMediaType } from '../../src/protocol/mime/index.ts';
import { cpimText } from '../../src/engine/text-content.ts';
import { foreignMessage, multipart } from './support/foreign-message.ts';
import { settle, World, type User } from './support/world.ts';

const alice = 'sip:alice@lab.test';
const bobUri = 'sip:bob@lab.test';
const text = 'the eagle lands at noon';

let world: World;
let bob: User;

beforeEach(async () => {
  world = new World();
  bob = await world.user('bob');
  world.kms.pskOf(alice);
});

afterEach(() => bob.account.stop());

const genuine = (messageId?: string) =>
  foreignMessage(world, {
    holder: alice,
    name: alice,
    to: bobUri,
    text,
    ...(messageId === undefined ? {} : { messageId }),
  });

/** The same message with its MAC overwritten: every check without keys passes, and nothing else. */
async function forged(): Promise<{ to: string; contentType: string; body: Uint8Array }> {
  const { contentType, body } = await genuine();
  const [mikey, cms] = decodeMultipart(parseMediaType(contentType), body).map((part) => part.body);
  const broken = Uint8Array.from(mikey ?? []);
  broken[broken.length - 1] = (broken[broken.length - 1] ?? 0) ^ 1;
  return { to: bobUri, ...multipart(broken, cms ?? new Uint8Array()) };
}

async function receive(message: Awaited<ReturnType<typeof genuine>>): Promise<number> {
  const { status } = await bob.userAgent.receiveMessage(alice, message);
  return status;
}

test('messages of one sender are shown in the order in which they came, however long the KMS takes for each', async () => {
  const answers: (() => void)[] = [];
  const exchange = world.kms.exchange.bind(world.kms);
  const written = (said: string) =>
    foreignMessage(world, { holder: alice, name: alice, to: bobUri, text: said, messageId: said });
  const messages = [await written('first'), await written('second')];
  world.kms.exchange = async (...asked) => {
    await new Promise<void>((resolve) => answers.push(resolve));
    return exchange(...asked);
  };
  for (const message of messages) void receive(message);
  await settle();
  answers[1]?.();
  await settle();
  expect(bob.received).toEqual([]);
  answers[0]?.();
  await settle();
  expect(bob.received.map((message) => message.text)).toEqual(['first', 'second']);
});

describe('the memory against replay', () => {
  test('is not filled by messages that prove nothing', async () => {
    const message = await forged();
    for (let round = 0; round < 2; round++) {
      await receive(message);
      await settle();
    }
    // Told from a copy by its octets alone: its MAC is not its own.
    expect(bob.received).toMatchObject([{ state: 'undecryptable' }]);
    expect(bob.refused).toMatchObject([{ refusal: { code: 'replayed' } }]);
    await receive(await genuine());
    await settle();
    expect(bob.received.at(-1)).toMatchObject({ text, level: 'e2e' });
  });

  test('does not take a genuine message for a copy of a forged one that has its MAC', async () => {
    const message = await genuine();
    const [mikey, cms] = decodeMultipart(parseMediaType(message.contentType), message.body).map((part) => part.body);
    const { header, payloads } = decodeMessage(mikey ?? new Uint8Array());
    const changed = payloads.map((payload) =>
      payload.payload === 'RANDR' ? { ...payload, value: new Uint8Array(32) } : payload,
    );
    const other = encodeMessage({ header, payloads: changed });
    await receive({ to: bobUri, ...multipart(other, cms ?? new Uint8Array()) });
    await settle();
    expect(bob.received.at(-1)).toMatchObject({ state: 'undecryptable' });
    await receive(message);
    await settle();
    expect(bob.received.at(-1)).toMatchObject({ text, state: 'received', level: 'e2e' });
  });

  test('does not drop a genuine message while a forged one that has its MAC waits for the KMS', async () => {
    const message = await genuine();
    const [mikey, cms] = decodeMultipart(parseMediaType(message.contentType), message.body).map((part) => part.body);
    const { header, payloads } = decodeMessage(mikey ?? new Uint8Array());
    const changed = payloads.map((payload) =>
      payload.payload === 'RANDR' ? { ...payload, value: new Uint8Array(32) } : payload,
    );
    world.kms.fault = 'down';
    await receive({ to: bobUri, ...multipart(encodeMessage({ header, payloads: changed }), cms ?? new Uint8Array()) });
    await receive(message);
    await settle();
    await world.kmsReturns();
    for (let turn = 0; turn < 4; turn++) await settle();
    const shown = bob.account.conversations().flatMap(({ messages }) => messages);
    expect(shown.filter((one) => one.state === 'received')).toMatchObject([{ text, level: 'e2e' }]);
  });

  test('knows a copy that comes while the first is still being opened, or waits for the KMS', async () => {
    const message = await genuine();
    world.kms.fault = 'down';
    await Promise.all([receive(message), receive(message)]);
    await settle();
    await receive(message);
    expect(bob.received).toHaveLength(1);
    expect(bob.refused).toMatchObject([{ refusal: { code: 'replayed' } }, { refusal: { code: 'replayed' } }]);
    world.kms.fault = 'none';
    await world.kmsReturns();
    expect(bob.states).toMatchObject([{ text, level: 'e2e' }]);
  });

  test('bounds how many messages are opened at a time, and tells the network to come again', async () => {
    const messages: Awaited<ReturnType<typeof genuine>>[] = [];
    for (let count = 0; count < limits.undecryptableOfOne + 2; count++) messages.push(await genuine(`m${count}`));
    world.kms.fault = 'silent';
    const statuses: number[] = [];
    for (const message of messages) void receive(message).then((status) => statuses.push(status));
    await settle();
    // What is kept as it came is answered, whether or not it can be opened yet.
    const answered = Array<number>(limits.undecryptableOfOne).fill(200);
    expect(statuses.sort()).toEqual([...answered, 503, 503]);
    expect(world.kms.resolves).toBe(limits.kmsExchangesAtOnce);
  });

  test('of Message-IDs is not spoiled by messages that prove less', async () => {
    const content = cpimText({ from: alice, to: bobUri, at: world.clock.now(), messageId: 'm7', text: 'spoiler' });
    await receive({ to: bobUri, ...content });
    await receive(await genuine('m7'));
    await settle();
    expect(bob.received.at(-1)).toMatchObject({ text, level: 'e2e' });
  });

  test('of a message from before 1970 is no reason to fall', async () => {
    const { contentType, body } = await genuine();
    const [mikey, cms] = decodeMultipart(parseMediaType(contentType), body).map((part) => part.body);
    const { header, payloads } = decodeMessage(mikey ?? new Uint8Array());
    const old = Uint8Array.of(0x80, 0, 0, 1, 0, 0, 0, 0);
    const changed = payloads.map((payload) => {
      if (payload.payload === 'T') return { ...payload, timestampType: 0, value: old };
      if (payload.payload !== 'TICKET') return payload;
      const parameters = payload.policy.parameters.filter((one) => one.payload !== 'TR' || one.role !== 2);
      return { ...payload, policy: { ...payload.policy, parameters } };
    });
    const status = await receive({
      to: bobUri,
      ...multipart(encodeMessage({ header, payloads: changed }), cms ?? new Uint8Array()),
    });
    await settle();
    expect([200, 493]).toContain(status);
    expect(bob.received.filter(({ state }) => state === 'received')).toEqual([]);
  });
});
