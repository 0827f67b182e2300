import type { Core } from 'sip.js';
import type { Clock } from '../../../base/clock.ts';
import { ProtocolError } from '../../../base/errors.ts';
import type { SipMessage } from '../../../protocol/sip/message.ts';
import { headerLines } from '../answer-options.ts';
import { toUri } from '../create-sipjs.ts';
import { maxMessageOctets } from '../incoming-messages.ts';
import { awaitReply } from '../sip-reply.ts';
import type { OutgoingMessage, SipReply } from '../types.ts';
import { encodeBody } from '../wire-translation.ts';

export interface OutgoingMessagesOptions {
  readonly clock: Clock;
  readonly core: () => Core.UserAgentCore;
  readonly newCallId: () => string;
}

/** MESSAGE requests over one flow, and whether anything of them left. */
export class OutgoingMessages {
  readonly #options: OutgoingMessagesOptions;
  /** What to tell once some of the request with this Call-ID may have left. */
  readonly #leaving = new Map<string, () => void>();

  constructor(options: OutgoingMessagesOptions) {
    this.#options = options;
  }

  /** From here on some of the request may have left. */
  leaves({ headers }: SipMessage): void {
    this.#leaving.get(headers.get('Call-ID') ?? '')?.();
  }

  async send({ to, contentType, body, headers = {} }: OutgoingMessage): Promise<SipReply> {
    if (body.length > maxMessageOctets) {
      throw new ProtocolError('local', 'too large for a SIP MESSAGE', {
        field: 'sip.body',
        expected: `at most ${maxMessageOctets} octets`,
        hint: { sip: 413 },
      });
    }
    const { clock, newCallId } = this.#options;
    const core = this.#options.core();
    const uri = toUri(to, 'sip.to');
    const lines = headerLines({ ...headers, 'Content-Type': contentType }).slice(0, -1);
    const content = { contentDisposition: 'render', contentType, content: encodeBody(body) };
    const callId = newCallId();
    const aor = core.configuration.aor;
    const request = core.makeOutgoingRequestMessage('MESSAGE', uri, aor, uri, { callId }, lines, content);
    let hasLeft = false;
    this.#leaving.set(callId, () => (hasLeft = true));
    try {
      const reply = await awaitReply(clock, (delegate) => core.message(request, delegate));
      const isUnsent = reply.local === 'not-sent' || (reply.local !== undefined && !hasLeft);
      return isUnsent ? { ...reply, unsent: true } : reply;
    } finally {
      this.#leaving.delete(callId);
    }
  }
}
