import { describe, expect, it } from 'vitest';
import { BridgeFault } from '../../../src/node/bridge/host.ts';
import { ScriptedHost } from '../../support/scripted-host.ts';

const peer = 'sip:bob@lab.test';
const key = { accountId: 'alice', peer };

describe('conversation book', () => {
  it('counts incoming messages as unread once each, until they are read', () => {
    const host = new ScriptedHost();
    const message = host.receive(peer, 'one', 'e2e');
    host.put({ ...message, state: 'undecryptable' });
    host.receive(peer, 'two', 'e2e');
    expect(host.book.views()[0]?.unread).toBe(2);
    host.book.markRead(key);
    expect(host.book.views()[0]).toMatchObject({ unread: 0, lastMessage: { text: 'two' } });
  });

  it('pages backwards through a conversation, oldest first in each page', () => {
    const host = new ScriptedHost();
    for (let index = 1; index <= 5; index++) host.receive(peer, String(index), 'e2e');
    const texts = (before?: string) => {
      const page = host.book.listMessages({ ...key, limit: 2, ...(before === undefined ? {} : { before }) });
      return {
        texts: page.messages.map((message) => message.text),
        hasMore: page.hasMore,
        first: page.messages[0]!.id,
      };
    };
    const last = texts();
    const middle = texts(last.first);
    expect(last).toMatchObject({ texts: ['4', '5'], hasMore: true });
    expect(middle).toMatchObject({ texts: ['2', '3'], hasMore: true });
    expect(texts(middle.first)).toMatchObject({ texts: ['1'], hasMore: false });
  });

  it('keeps a changed message in its place', () => {
    const host = new ScriptedHost();
    const first = host.receive(peer, 'first', 'e2e');
    host.receive(peer, 'second', 'e2e');
    host.put({ ...first, text: 'first again' });
    expect(host.book.listMessages({ ...key, limit: 10 }).messages.map((message) => message.text)).toEqual([
      'first again',
      'second',
    ]);
  });

  it('says so when a message to discard is gone', () => {
    const host = new ScriptedHost();
    const { id } = host.receive(peer, 'first', 'e2e');
    host.book.removeMessage(key, id);
    expect(() => host.book.removeMessage(key, id)).toThrow(BridgeFault);
  });
});
