import { ProtocolError } from '../../base/errors.ts';
import { isAcceptable } from '../../protocol/msrp/index.ts';
import type { MsrpMedia } from '../../protocol/sdp/index.ts';
import { limits } from '../limits.ts';
import type { EnginePorts } from '../ports.ts';
import { refuse } from '../refusal.ts';
import { readSessionContent, sessionTypes, wrappedSessionTypes } from './session-content.ts';
import type { StreamPurpose } from './stream-purpose.ts';

/** A stream of texts, both ways. */
export function chatPurpose(ports: EnginePorts): StreamPurpose {
  return {
    direction: 'sendrecv',
    acceptTypes: sessionTypes,
    acceptWrappedTypes: wrappedSessionTypes,
    maxSize: limits.sessionTextOctets,
    more: [],
    checkAnswer: ({ media }) => requireText(media),
    channel: {
      maxMessageOctets: limits.sessionTextOctets,
      judge: (message) => judgeText(ports, message),
      holdsReports: true,
    },
  };
}

/** RFC 4975 8.6: a session in which the other side takes nothing that we can send is none. */
function requireText({ acceptTypes, acceptWrappedTypes }: MsrpMedia): void {
  if (isAcceptable('text/plain', acceptTypes)) return;
  if (isAcceptable('message/cpim', acceptTypes) && isAcceptable('text/plain', acceptWrappedTypes)) return;
  throw refuse('peer-incompatible', 'session', { happened: 'The other side takes no text in its sessions' });
}

/** A text that cannot be read must not be reported as delivered. */
function judgeText(
  { log }: EnginePorts,
  message: { readonly contentType: string; readonly bytes: Uint8Array },
): number {
  // An empty message binds the connection to the session (RFC 4975 5.4).
  if (message.bytes.length === 0) return 200;
  try {
    readSessionContent(message.contentType, message.bytes);
    return 200;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const status = error.hint.msrp ?? (error.kind === 'unsupported' ? 415 : 400);
    log.log('warn', 'session.message-unreadable', { status, field: error.field, reason: error.message });
    return status;
  }
}
