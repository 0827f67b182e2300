import { describe, expect, it } from 'vitest';
import { limits } from '../../../src/engine/limits.ts';
import { createMemoryStore } from '../../../src/engine/store/index.ts';
import { describeStore } from './store-contract.ts';
import { chatMessage } from './stored-message.ts';

const open = () => createMemoryStore({ reason: 'This is a test' });

describeStore('A store in memory', open);

describe('A store in memory', () => {
  it('says why it keeps nothing', () => {
    expect(open().keeping).toEqual({ kept: 'memory', reason: 'This is a test' });
  });

  it('lets the oldest go at its limits, but nothing that is queued', () => {
    const { messages } = open().account('a');
    messages.add(chatMessage('queued', { state: 'queued', direction: 'out' }));
    for (let index = 0; index < limits.messagesPerConversation; index++) messages.add(chatMessage(`m${index}`));
    expect(messages.count()).toBe(limits.messagesPerConversation);
    expect([messages.get('queued')?.id, messages.get('m0'), messages.get('m1')?.id]).toEqual([
      'queued',
      undefined,
      'm1',
    ]);
  });

  it('lets the longest idle conversation go at its limit', () => {
    const { messages } = open().account('a');
    const add = (id: string) => messages.add(chatMessage(id, { conversation: id }));
    for (let index = 0; index < limits.conversations; index++) add(`c${index}`);
    messages.add(chatMessage('again', { conversation: 'c0' }));
    add('one-more');
    expect(messages.conversations()).toHaveLength(limits.conversations);
    expect([messages.summary('c0')?.peer, messages.summary('c1')]).toEqual(['c0', undefined]);
  });
});
