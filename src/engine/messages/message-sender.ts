import { isAtLeast, type Policy, type ProtectionLevel } from '../../base/protection-level.ts';
import type { GrantedTicket } from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';
import { withDeadline } from '../deadline.ts';
import { mayOfferLess } from '../downgrade.ts';
import { notProtectedBy, type Evidence } from '../evidence.ts';
import { limits } from '../limits.ts';
import type { Attempt } from '../outbox/carrier.ts';
import { aimOf, type ContactPolicies } from '../policy.ts';
import type { EnginePorts } from '../ports.ts';
import { sealMessage } from '../psk-mime/index.ts';
import { asRefusalError, refuse, type RefusalError } from '../refusal.ts';
import type { SipReply, SipUserAgent } from '../sip/index.ts';
import { cpimText, plainText, type TextContent } from '../text-content.ts';
import { ticketEvidence } from '../tickets/ticket-evidence.ts';
import type { TicketService } from '../tickets/ticket-service.ts';
import type { PeerAbilities } from './peer-abilities.ts';
import { replyRefusal } from './reply-refusal.ts';
import { signallingProtection } from './signalling-level.ts';

export interface MessageSenderOptions {
  readonly ports: EnginePorts;
  readonly userAgent: SipUserAgent;
  readonly tickets: TicketService;
  readonly policies: ContactPolicies;
  readonly abilities: PeerAbilities;
  /** KMS user identity of this account. */
  readonly self: string;
}

/** One attempt at a text. */
export interface TextToPeer extends Pick<Attempt, 'messageId' | 'isAgain' | 'leaving'> {
  readonly peer: string;
  readonly text: string;
  /** When it was written, milliseconds since 1970. */
  readonly at: number;
  readonly policy: Policy;
  /** It leaves at this or better, or not at all. */
  readonly floor: ProtectionLevel;
}

export interface SentMessage {
  readonly messageId: string;
  readonly level: ProtectionLevel;
  readonly evidence: Evidence;
}

/** Immediate messages: SIP MESSAGE, end to end or protected by the signalling connection alone (profile 4 and 5). */
export class MessageSender {
  readonly #options: MessageSenderOptions;

  constructor(options: MessageSenderOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the network or the peer took the message.
   * @throws RefusalError `kms-unreachable` for a message that can wait; `offered` is then the level that the user may choose instead.
   */
  async send(message: TextToPeer): Promise<SentMessage> {
    if (message.floor !== 'e2e' && aimOf(message.policy) === 'e2ae') return this.#sendBySignalling(message);
    try {
      return await this.#sendEndToEnd(message);
    } catch (error) {
      const problem = asRefusalError(error, 'connection-lost');
      if (message.policy !== 'prefer-e2e' || !mayOfferLess(problem.code)) throw problem;
      return this.#sendBySignalling(message, problem);
    }
  }

  /** End to end or not at all. @throws RefusalError */
  async #sendEndToEnd({ peer, text, messageId, leaving }: TextToPeer): Promise<SentMessage> {
    const { ports, tickets, self } = this.#options;
    const ticket = await tickets.ticketFor(peer, 'message');
    const sealed = sealMessage({
      ticket,
      self,
      recipient: peer,
      text,
      messageId,
      now: tickets.now(),
      random: ports.random,
    });
    const evidence: Evidence = {
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
    requireRoom(sealed);
    await leaving({ level: 'e2e', evidence });
    const reply = await this.#request(peer, sealed, lifeOf(ticket, tickets.now()));
    if (!isAccepted(reply)) {
      // The next message starts from a fresh ticket: this one may be what the peer could not read.
      if (reply.status === 493) tickets.drop(peer, 'message');
      throw replyRefusal(reply);
    }
    return { messageId, level: 'e2e', evidence };
  }

  /** The level that the user may agree to instead of end-to-end; from now on consent means this one. */
  offerLess(peer: string): ProtectionLevel {
    const { ports, userAgent, policies } = this.#options;
    const { level } = signallingProtection(userAgent.flow, ports.clock.now());
    policies.noteOffer(peer, level);
    return level;
  }

  async #sendBySignalling(message: TextToPeer, why?: RefusalError): Promise<SentMessage> {
    const { ports, userAgent, policies, abilities, self } = this.#options;
    const { peer, text, at, messageId, policy, floor, isAgain, leaving } = message;
    const { level, evidence } = signallingProtection(userAgent.flow, ports.clock.now());
    if (!isAtLeast(level, floor)) {
      if (policy !== 'prefer-e2e') throw refuse('policy-not-met', 'message', { reached: level, required: policy });
      policies.noteOffer(peer, level);
      // Its keys may be had later: the message can wait for them instead.
      if (why?.code === 'kms-unreachable') {
        throw refuse(why.code, 'message', { ...why.details, offered: level, required: policy, cause: why });
      }
      const because = why === undefined ? {} : { happened: why.happened };
      throw refuse('consent-required', 'message', { offered: level, required: policy, ...because });
    }
    const isBare = !abilities.takes(peer, 'cpim');
    if (isBare && isAgain) throw copyUntold();
    const protection = { level, evidence };
    const content = isBare ? plainText(text) : cpimText({ from: self, to: peer, at, messageId, text });
    requireRoom(content);
    await leaving(protection);
    let reply = await this.#request(peer, content);
    if (reply.status === 415 && !isBare) {
      // A peer without CPIM gets the bare text: the same protection, less envelope. It is durable that it takes no other
      // before the bare one leaves: after a crash that one cannot be told from a copy.
      abilities.noteRefusal(peer, 'cpim');
      await leaving(protection);
      reply = await this.#request(peer, plainText(text));
      if (reply.status === 415) abilities.forget(peer, 'cpim');
    }
    if (!isAccepted(reply)) throw replyRefusal(reply);
    return { messageId, level, evidence };
  }

  #request(peer: string, { contentType, body }: TextContent, headers?: Record<string, string>): Promise<SipReply> {
    const { ports, userAgent } = this.#options;
    return withDeadline(
      ports.clock,
      limits.sipMessageMilliseconds,
      userAgent.sendMessage({ to: peer, contentType, body, ...(headers === undefined ? {} : { headers }) }),
      () => refuse('timeout', 'uncertain'),
    );
  }
}

function requireRoom({ body }: TextContent): void {
  if (body.length > profile.message.maxOctets) throw refuse('too-large');
}

/** A peer that takes nothing but bare text cannot tell a copy: the user decides. */
function copyUntold(): RefusalError {
  return refuse('peer-incompatible', 'uncertain', {
    happened:
      'It was sent before without an answer, and the other side could not tell a second copy of it from a new message',
  });
}

/** Profile 5.5: a message that is stored beyond TRe could not be read any more (Expires of RFC 3428 4). */
function lifeOf({ validUntil }: GrantedTicket, now: number): Record<string, string> {
  return validUntil === undefined ? {} : { Expires: `${Math.max(0, Math.floor((validUntil - now) / 1000))}` };
}

function isAccepted({ status }: SipReply): boolean {
  return status >= 200 && status < 300;
}
