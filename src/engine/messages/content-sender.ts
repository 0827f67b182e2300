import { identityText, type GrantedTicket } from '../../protocol/mikey/index.ts';
import type { MimeEntity } from '../../protocol/mime/index.ts';
import { profile } from '../../protocol/profile.ts';
import { withDeadline } from '../deadline.ts';
import { notProtectedBy, type MessagePskMimeEvidence } from '../evidence.ts';
import { limits } from '../limits.ts';
import type { EnginePorts } from '../ports.ts';
import { sealMessage } from '../psk-mime/index.ts';
import { refuse } from '../refusal.ts';
import type { FlowFacts, SipReply, SipUserAgent } from '../sip/index.ts';
import type { TextContent } from '../text-content.ts';
import { ticketEvidence } from '../tickets/ticket-evidence.ts';
import type { TicketService } from '../tickets/ticket-service.ts';
import { Turns } from './turns.ts';

export interface ContentSenderOptions {
  readonly ports: EnginePorts;
  readonly userAgent: SipUserAgent;
  readonly tickets: TicketService;
  /** KMS user identity of this account. */
  readonly self: string;
  /** Octets of a MESSAGE's body above which it is not sent; the profile's when absent (5.5). */
  readonly maxOctets?: number | undefined;
}

/** Something for one reader, or for several behind a list service. */
export interface ContentToSend {
  readonly recipient: string;
  /** KMS user identities of those who shall read it; `recipient` alone when absent. */
  readonly audience?: readonly string[];
  /** Where the request goes; to `recipient` when absent. */
  readonly requestUri?: string;
  readonly messageId: string;
  readonly content: TextContent;
  /** What goes beside it in clear. */
  readonly otherParts?: readonly MimeEntity[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Called before the first octet leaves, which waits for it; what it throws keeps it from leaving. */
  readonly leaving?: (evidence: MessagePskMimeEvidence | undefined) => Promise<void>;
}

/** Puts a content into a SIP MESSAGE, with the protection that it is told, and never with less. */
export class ContentSender {
  readonly #options: ContentSenderOptions;
  /** RFC 3428 section 8: not two transactions to one URI at a time. */
  readonly #turns = new Turns();

  constructor(options: ContentSenderOptions) {
    this.#options = options;
  }

  /** End to end or not at all. @throws RefusalError, of the KMS among others; a refusal by the other side is a reply. */
  async sealed(
    message: ContentToSend,
  ): Promise<{ readonly reply: SipReply; readonly evidence: MessagePskMimeEvidence }> {
    const { ports, tickets, self } = this.#options;
    const { recipient, audience = [recipient], messageId, content, otherParts = [] } = message;
    const ticket = await tickets.ticketFor(audience, 'message');
    requireReaders(ticket, audience);
    const sealed = sealMessage({
      ticket,
      self,
      recipient,
      audience,
      content,
      messageId,
      otherParts,
      now: tickets.now(),
      random: ports.random,
    });
    const evidence: MessagePskMimeEvidence = {
      kind: 'message-psk-mime',
      contentEncryption: sealed.contentEncryption,
      kms: tickets.kmsIdentity,
      ticket: ticketEvidence(ticket, tickets.credentialMode),
      keyId: sealed.keyId,
      origin: 'proven',
      vouchedBy: 'kms',
      verifiedAt: ports.clock.now(),
      notProtected: notProtectedBy.endToEnd,
    };
    const life = lifeOf(ticket, tickets.now());
    const reply = await this.#request(message, sealed, life, evidence);
    // The next message starts from a fresh ticket: this one may be what the peer could not read.
    if (reply.status === 493) tickets.drop(audience, 'message');
    return { reply, evidence };
  }

  /**
   * By the signalling connection: who asks for it has judged that this will do, and it leaves over nothing less, for it may wait for
   * its turn while connections come and go. @param judgedBy the flow that was judged. @throws RefusalError
   */
  bySignalling(message: ContentToSend, judgedBy: FlowFacts | undefined): Promise<SipReply> {
    return this.#request(message, message.content, {}, undefined, judgedBy);
  }

  async #request(
    { recipient, requestUri = recipient, headers = {}, leaving }: ContentToSend,
    { contentType, body }: TextContent,
    life: Readonly<Record<string, string>>,
    evidence: MessagePskMimeEvidence | undefined,
    judgedBy?: FlowFacts,
  ): Promise<SipReply> {
    const { ports, userAgent, maxOctets = profile.message.maxOctets } = this.#options;
    if (body.length > maxOctets) throw refuse('too-large');
    const all = { ...headers, ...life };
    const message = {
      to: requestUri,
      contentType,
      body,
      ...(Object.keys(all).length === 0 ? {} : { headers: all }),
      ...(judgedBy === undefined ? {} : { judgedBy }),
    };
    const turn = this.#turns.take(requestUri);
    try {
      await turn.before;
      await leaving?.(evidence);
      return await withDeadline(ports.clock, limits.sipMessageMilliseconds, userAgent.sendMessage(message), () =>
        refuse('timeout', 'uncertain'),
      );
    } finally {
      turn.end();
    }
  }
}

/** A KMS may grant a ticket for fewer than were asked for: what is for all of them does not go to some. */
function requireReaders({ responders }: GrantedTicket, audience: readonly string[]): void {
  const named = new Set(responders.map(identityText));
  const missing = audience.find((reader) => !named.has(reader));
  if (missing === undefined) return;
  throw refuse('kms-refused', 'message', {
    happened: `The key management server gives no key that ${missing} could read with`,
  });
}

/** Profile 5.5: a message that is stored beyond TRe could not be read any more (Expires and Date of RFC 3428 4). */
function lifeOf({ validUntil }: GrantedTicket, now: number): Record<string, string> {
  if (validUntil === undefined) return {};
  const seconds = Math.max(0, Math.floor((validUntil - now) / 1000));
  return { Expires: `${seconds}`, Date: new Date(now).toUTCString() };
}

export function isAccepted({ status }: SipReply): boolean {
  return status >= 200 && status < 300;
}
