import { describe, expect, it } from 'vitest';
import {
  calls,
  evidence,
  eventEnvelope,
  isCallName,
  messageView,
  serverEnvelope,
  type MessageView,
} from '../../src/contract/index.ts';

const message: MessageView = {
  id: 'm1',
  accountId: 'alice',
  conversation: 'sip:bob@lab.test',
  direction: 'in',
  from: 'sip:bob@lab.test',
  to: 'sip:alice@lab.test',
  text: 'hello',
  at: 1,
  way: 'message',
  level: 'e2ae',
  state: 'received',
};

describe('contract', () => {
  it('cuts everything that a view does not name, at every depth', () => {
    const leaking = {
      ...message,
      password: 'hunter2',
      evidence: {
        kind: 'message-signalling',
        transport: 'tls',
        tls: { version: 'TLSv1.3', suite: 'TLS_AES_128_GCM_SHA256', masterSecret: 'aa' },
        securityAgreement: [],
        vouchedBy: 'network',
        verifiedAt: 1,
        notProtected: [],
        tek: 'bb',
      },
    };
    const text = JSON.stringify(eventEnvelope.parse({ event: 'message', payload: { version: 1, message: leaking } }));
    expect(text).not.toMatch(/hunter2|masterSecret|tek/);
  });

  it('refuses unknown fields in a call', () => {
    expect(calls.register.input.safeParse({ accountId: 'alice', force: true }).success).toBe(false);
  });

  it('refuses an empty text, an overlong text and an empty address', () => {
    const input = { accountId: 'alice', to: 'sip:bob@lab.test', text: 'x', way: 'message' };
    const accepts = (change: object) => calls.sendMessage.input.safeParse({ ...input, ...change }).success;
    expect([
      accepts({}),
      accepts({ text: '' }),
      accepts({ text: 'x'.repeat(200_001) }),
      accepts({ to: '  ' }),
      accepts({ way: 'pigeon' }),
    ]).toEqual([true, false, false, false, false]);
  });

  it('knows its calls and nothing inherited', () => {
    expect(isCallName('getSnapshot')).toBe(true);
    expect(isCallName('constructor')).toBe(false);
    expect(isCallName('__proto__')).toBe(false);
  });

  it('refuses a level or a kind of evidence that does not exist', () => {
    expect(messageView.safeParse({ ...message, level: 'top-secret' }).success).toBe(false);
    expect(evidence.safeParse({ kind: 'because-i-say-so' }).success).toBe(false);
  });

  it('tells replies and events apart', () => {
    expect(serverEnvelope.parse({ id: 3, ok: true, output: { a: 1 } })).toEqual({ id: 3, ok: true, output: { a: 1 } });
    expect(serverEnvelope.parse({ event: 'message', payload: { version: 2, message } })).toHaveProperty('event');
    expect(serverEnvelope.safeParse({ hello: 1 }).success).toBe(false);
  });
});
