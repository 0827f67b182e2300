import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ChatMessage } from '../../src/engine/chat-message.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { startParty, until, type Party } from './support/parties.ts';

/** Single messages through the lab: over sockets, with its registrar, list service and KMS. */

const patience = 30_000;
let lab: Lab;
let alice: Party;
let phone: Party;
let bob: Party;
let carol: Party;

beforeAll(async () => {
  lab = await startLab({ copySentMessages: true });
  const messages = { listService: lab.listService, syncSent: true };
  alice = await startParty(lab, 'alice', { messages });
  phone = await startParty(lab, 'alice', { messages });
  bob = await startParty(lab, 'bob', { messages });
  carol = await startParty(lab, 'carol', { messages });
}, patience);

afterAll(async () => {
  await Promise.all([alice, phone, bob, carol].map((party) => party.stop()));
  await lab.stop();
}, patience);

const all = ({ account }: Party): readonly ChatMessage[] => account.conversations().flatMap(({ messages }) => messages);
const withText = (party: Party, text: string): ChatMessage | undefined =>
  all(party).find((message) => message.text === text);

test.each(['require-e2e', 'require-e2ae'] as const)(
  '%s: delivered and displayed are told as protected as the message, and the other device shows it as sent',
  { timeout: patience },
  async (policy) => {
    const text = `told ${policy}`;
    const outcome = await alice.account.sendMessage({ to: bob.uri, text, way: 'message', policy });
    expect(outcome).toMatchObject({ outcome: 'sent' });
    const state = (): string | undefined => withText(alice, text)?.state;
    await until(() => state() === 'delivered', 'it is told that it has arrived', patience);
    const arrived = withText(bob, text);
    bob.account.markDisplayed(alice.uri, arrived?.id ?? '');
    await until(() => state() === 'displayed', 'it is told that it was seen', patience);
    await until(() => withText(phone, text) !== undefined, 'the other device shows it', patience);
    expect(withText(phone, text)).toMatchObject({
      direction: 'out',
      fromOtherDevice: true,
      conversation: bob.uri,
      level: policy === 'require-e2e' ? 'e2e' : 'e2ae',
    });
  },
);

test.each(['require-e2e', 'require-e2ae'] as const)(
  '%s: a message to a group reaches each of its members, and each tells its receipt',
  { timeout: patience },
  async (policy) => {
    const text = `to all ${policy}`;
    const outcome = await alice.account.sendToGroup({ recipients: [bob.uri, carol.uri], text, policy });
    expect(outcome).toMatchObject({ outcome: 'sent' });
    for (const member of [bob, carol]) {
      await until(() => withText(member, text) !== undefined, 'each member shows it', patience);
    }
    const places = [alice, bob, carol].map((member) => withText(member, text)?.conversation);
    expect(new Set(places).size).toBe(1);
    const states = () => withText(alice, text)?.recipients?.map(({ state }) => state);
    await until(
      () => states()?.every((state) => state === 'delivered') === true,
      'each tells that it has it',
      patience,
    );
    if (policy === 'require-e2e') expect(lab.recorder.find(text).insideEdge.count).toBe(0);
  },
);

test('typing is told by a message, end to end', { timeout: patience }, async () => {
  const seen: boolean[] = [];
  bob.account.events.on('composing', ({ isWriting }) => seen.push(isWriting));
  expect(alice.account.composing({ to: bob.uri, isWriting: true })).toBe(true);
  await until(() => seen.includes(true), 'it is shown that alice writes', patience);
  await alice.account.sendMessage({ to: bob.uri, text: 'written', way: 'message', policy: 'require-e2e' });
  await until(() => seen.at(-1) === false, 'the text ends it', patience);
});
