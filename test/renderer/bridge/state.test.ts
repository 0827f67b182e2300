import { describe, expect, it, vi } from 'vitest';
import { BridgeCallError, BridgeClient } from '../../../renderer/bridge/client.ts';
import { keyText, Remote } from '../../../renderer/bridge/state.ts';
import { ScriptedHost } from '../../support/scripted-host.ts';
import { LoopTransport } from '../support/loop.ts';

const peer = 'sip:bob@lab.test';
const key = { accountId: 'alice', peer };

async function setUp() {
  const host = new ScriptedHost();
  host.receive(peer, 'first', 'e2e');
  const transport = new LoopTransport(host);
  const client = new BridgeClient(transport);
  const remote = new Remote(client);
  await vi.waitFor(() => expect(remote.store.getState().link).toBe('up'));
  const texts = () => remote.store.getState().messages[keyText(key)]?.messages.map((message) => message.text);
  return { host, transport, client, remote, texts };
}

describe('mirror of the engine', () => {
  it('starts from a snapshot and follows events', async () => {
    const { host, remote } = await setUp();
    expect(remote.store.getState().conversations).toMatchObject([{ peer, unread: 1 }]);
    host.receive(peer, 'second', 'e2ae');
    host.setRegistration({ state: 'unregistered' });
    expect(remote.store.getState().conversations).toMatchObject([{ unread: 2, lastMessage: { text: 'second' } }]);
    expect(remote.store.getState().accounts).toMatchObject([{ registration: { state: 'unregistered' } }]);
  });

  it('keeps the messages of opened conversations, and takes away what was removed', async () => {
    const { host, remote, texts } = await setUp();
    expect(texts()).toBeUndefined();
    await remote.openConversation(key);
    const second = host.receive(peer, 'second', 'e2e');
    expect(texts()).toEqual(['first', 'second']);
    host.book.removeMessage(key, second.id);
    expect(texts()).toEqual(['first']);
  });

  it('loads earlier messages before those it has', async () => {
    const { host, remote, texts } = await setUp();
    for (let index = 1; index <= 80; index++) host.receive(peer, String(index), 'e2e');
    await remote.openConversation(key);
    expect(texts()).toHaveLength(60);
    await remote.loadEarlier(key);
    expect(texts()).toEqual(['first', ...Array.from({ length: 80 }, (_, index) => String(index + 1))]);
  });

  it('starts over when an event is missing', async () => {
    const { host, transport, remote, texts } = await setUp();
    await remote.openConversation(key);
    transport.isDeaf = true;
    host.receive(peer, 'missed', 'e2e');
    transport.isDeaf = false;
    host.receive(peer, 'heard', 'e2e');
    await vi.waitFor(() => expect(texts()).toEqual(['first', 'missed', 'heard']));
  });

  it('catches up when the link returns', async () => {
    const { host, transport, remote, texts } = await setUp();
    await remote.openConversation(key);
    transport.setUp(false);
    expect(remote.store.getState().link).toBe('down');
    expect(texts()).toEqual(['first']);
    host.receive(peer, 'meanwhile', 'e2e');
    transport.setUp(true);
    await vi.waitFor(() => expect(texts()).toEqual(['first', 'meanwhile']));
    expect(remote.store.getState().link).toBe('up');
  });

  it('turns every failed call into a typed error', async () => {
    const { transport, client } = await setUp();
    const code = (error: unknown) => (error instanceof BridgeCallError ? error.code : error);
    await expect(client.call('register', { accountId: 'eve' }).catch(code)).resolves.toBe('no-such-account');
    await expect(client.call('register', { accountId: '' }).catch(code)).resolves.toBe('invalid-input');
    transport.setUp(false);
    await expect(client.call('getSnapshot', {}).catch(code)).resolves.toBe('disconnected');
  });
});
