import { Core } from 'sip.js';
import { describe, expect, it } from 'vitest';
import { installParseOnce, parseForSipJs } from '../../../src/engine/sip/parse-once.ts';

const silent = { error: () => undefined, warn: () => undefined } as unknown as Core.Logger;
const request = (callId: string): string =>
  [
    'MESSAGE sip:alice@lab.test SIP/2.0',
    'Via: SIP/2.0/TLS edge.lab.test:5061;branch=z9hG4bKa',
    'From: <sip:bob@lab.test>;tag=b',
    'To: <sip:alice@lab.test>',
    `Call-ID: ${callId}`,
    'CSeq: 1 MESSAGE',
    'Max-Forwards: 70',
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n');
const callIdOf = (text: string): string | undefined => Core.Parser.parseMessage(text, silent)?.callId;

installParseOnce();

describe('what the transport has parsed', () => {
  it('is what SIP.js gets for the same text, once', () => {
    expect(parseForSipJs(request('one'), silent)).toBe(true);
    const first = Core.Parser.parseMessage(request('one'), silent);
    const second = Core.Parser.parseMessage(request('one'), silent);
    expect([first?.callId, second?.callId]).toEqual(['one', 'one']);
    // SIP.js changes what it gets: nobody else may have it too.
    expect(second).not.toBe(first);
  });

  it('is never what it gets for another text', () => {
    expect(parseForSipJs(request('one'), silent)).toBe(true);
    expect(callIdOf(request('other'))).toBe('other');
    expect(callIdOf(request('one'))).toBe('one');
  });

  it('is nothing where SIP.js does not understand it', () => {
    expect(parseForSipJs('no message', silent)).toBe(false);
    expect(Core.Parser.parseMessage('no message', silent)).toBeUndefined();
  });
});
