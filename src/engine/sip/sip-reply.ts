import type { Core } from 'sip.js';
import { utf8 } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { parseSipMessage, SipHeaders } from '../../protocol/sip/message.ts';
import { localAnswerHeader } from './outstanding-requests.ts';
import { showTelUris } from './tel-uri.ts';
import type { SipReply } from './types.ts';
import { decodeBody, originalContentType } from './wire-translation.ts';

/** SIP.js answers 408 itself after 32 s, but never on a retry that it lost: nobody waits longer than this. */
export const requestMilliseconds = 33_000;

/** Headers and body as they were on the wire. @param message as SIP.js holds it. */
export function readReceived(message: { readonly data?: string }): { headers: SipHeaders; body: Uint8Array } {
  if (message.data === undefined || message.data === '') return { headers: new SipHeaders(), body: new Uint8Array() };
  const { headers, body } = parseSipMessage(utf8(message.data));
  const contentType = headers.shift(originalContentType);
  if (contentType !== undefined) headers.set('Content-Type', contentType);
  for (const name of ['From', 'To']) headers.set(name, showTelUris(headers.get(name) ?? ''));
  return { headers, body: decodeBody(new TextDecoder().decode(body)) };
}

export function readReply(message: Core.IncomingResponseMessage): SipReply {
  const { headers, body } = readReceived(message);
  const status = message.statusCode ?? 500;
  const reason = message.reasonPhrase ?? '';
  const local = whoseAnswer(headers, status);
  return { status, reason, headers, body, ...(local === undefined ? {} : { local }) };
}

function whoseAnswer(headers: SipHeaders, status: number): SipReply['local'] {
  // SIP.js makes up 408 and 503 without any octets of a message.
  const isOwn = headers.fields.length === 0 || headers.has(localAnswerHeader);
  if (!isOwn) return undefined;
  if (headers.get(localAnswerHeader) === 'not-sent') return 'not-sent';
  return status === 408 ? 'timeout' : 'connection-lost';
}

/** Sends by `start`, which gets the delegate for SIP.js; resolves with the final answer, 408 when none comes. */
export function awaitReply(clock: Clock, start: (delegate: Core.OutgoingRequestDelegate) => void): Promise<SipReply> {
  return new Promise((resolve) => {
    const cancel = clock.after(requestMilliseconds, () => {
      resolve({
        status: 408,
        reason: 'Request Timeout',
        headers: new SipHeaders(),
        body: new Uint8Array(),
        local: 'timeout',
      });
    });
    const settle = ({ message }: { readonly message: Core.IncomingResponseMessage }): void => {
      cancel();
      resolve(readReply(message));
    };
    start({ onAccept: settle, onRedirect: settle, onReject: settle });
  });
}
