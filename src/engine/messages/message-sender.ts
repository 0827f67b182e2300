import type { Policy, ProtectionLevel } from '../../base/protection-level.ts';
import { randomId } from '../../base/random.ts';
import type { GrantedTicket } from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';
import { withDeadline } from '../deadline.ts';
import { mayOfferLess } from '../downgrade.ts';
import { notProtectedBy, type Evidence } from '../evidence.ts';
import { limits } from '../limits.ts';
import { aimOf, judgeSending, type ContactPolicies } from '../policy.ts';
import type { EnginePorts } from '../ports.ts';
import { sealMessage } from '../psk-mime/index.ts';
import { asRefusalError, refuse, type RefusalError } from '../refusal.ts';
import type { SipReply, SipUserAgent } from '../sip/index.ts';
import { cpimText, plainText, type TextContent } from '../text-content.ts';
import { ticketEvidence } from '../tickets/ticket-evidence.ts';
import type { TicketService } from '../tickets/ticket-service.ts';
import { signallingProtection } from './signalling-level.ts';

export interface MessageSenderOptions {
  readonly ports: EnginePorts;
  readonly userAgent: SipUserAgent;
  readonly tickets: TicketService;
  readonly policies: ContactPolicies;
  /** KMS user identity of this account. */
  readonly self: string;
}

export interface SentMessage {
  readonly messageId: string;
  readonly level: ProtectionLevel;
  readonly evidence: Evidence;
}

/** Immediate messages: SIP MESSAGE, end to end or protected by the signalling connection alone (profile 4 and 5). */
export class MessageSender {
  readonly #options: MessageSenderOptions;
  /** Peers that answered 415 to CPIM but took text/plain. */
  readonly #plainOnly = new Set<string>();

  constructor(options: MessageSenderOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the network or the peer took the message.
   * @throws RefusalError `kms-unreachable` for a message that could wait; `offered` is then the level that the user may choose instead.
   */
  async send(peer: string, text: string, policy: Policy): Promise<SentMessage> {
    if (aimOf(policy) === 'e2ae') return this.#sendBySignalling(peer, text, policy);
    try {
      return await this.sendEndToEnd(peer, text);
    } catch (error) {
      const problem = asRefusalError(error, 'connection-lost');
      if (policy !== 'prefer-e2e' || !mayOfferLess(problem.code)) throw problem;
      return this.#sendBySignalling(peer, text, policy, problem);
    }
  }

  /** End to end or not at all. @throws RefusalError */
  async sendEndToEnd(peer: string, text: string, id?: string): Promise<SentMessage> {
    const { ports, tickets, self } = this.#options;
    const ticket = await tickets.ticketFor(peer, 'message');
    const messageId = id ?? randomId(ports.random, 12);
    const sealed = sealMessage({
      ticket,
      self,
      recipient: peer,
      text,
      messageId,
      now: tickets.now(),
      random: ports.random,
    });
    const reply = await this.#request(peer, sealed, lifeOf(ticket, tickets.now()));
    if (!isAccepted(reply)) {
      // The next message starts from a fresh ticket: this one may be what the peer could not read.
      if (reply.status === 493) tickets.drop(peer, 'message');
      throw replyRefusal(reply);
    }
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
    return { messageId, level: 'e2e', evidence };
  }

  /** The level that the user may agree to instead of end-to-end; from now on consent means this one. */
  offerLess(peer: string): ProtectionLevel {
    const { ports, userAgent, policies } = this.#options;
    const { level } = signallingProtection(userAgent.flow, ports.clock.now());
    policies.noteOffer(peer, level);
    return level;
  }

  async #sendBySignalling(peer: string, text: string, policy: Policy, why?: RefusalError): Promise<SentMessage> {
    const { ports, userAgent, policies, self } = this.#options;
    const { level, evidence } = signallingProtection(userAgent.flow, ports.clock.now());
    const verdict = judgeSending(policy, level, policies.agreedLevel(peer));
    if (verdict === 'not-met') throw refuse('policy-not-met', 'message', { reached: level, required: policy });
    if (verdict === 'consent-required') {
      policies.noteOffer(peer, level);
      // Its keys may be had later: the message can wait for them instead.
      if (why?.code === 'kms-unreachable') {
        throw refuse(why.code, 'message', { ...why.details, offered: level, required: policy, cause: why });
      }
      const because = why === undefined ? {} : { happened: why.happened };
      throw refuse('consent-required', 'message', { offered: level, required: policy, ...because });
    }
    const messageId = randomId(ports.random, 12);
    const message = { from: self, to: peer, at: ports.clock.now(), messageId, text };
    let reply = await this.#request(peer, this.#plainOnly.has(peer) ? plainText(text) : cpimText(message));
    if (reply.status === 415 && !this.#plainOnly.has(peer)) {
      // A peer without CPIM gets the bare text: the same protection, less envelope.
      reply = await this.#request(peer, plainText(text));
      if (isAccepted(reply)) this.#plainOnly.add(peer);
    }
    if (!isAccepted(reply)) throw replyRefusal(reply);
    return { messageId, level, evidence };
  }

  #request(peer: string, { contentType, body }: TextContent, headers?: Record<string, string>): Promise<SipReply> {
    const { ports, userAgent } = this.#options;
    if (body.length > profile.message.maxOctets) throw refuse('too-large');
    return withDeadline(
      ports.clock,
      limits.sipMessageMilliseconds,
      userAgent.sendMessage({ to: peer, contentType, body, ...(headers === undefined ? {} : { headers }) }),
      () => refuse('timeout', 'uncertain'),
    );
  }
}

/** Profile 5.5: a message that is stored beyond TRe could not be read any more (Expires of RFC 3428 4). */
function lifeOf({ validUntil }: GrantedTicket, now: number): Record<string, string> {
  return validUntil === undefined ? {} : { Expires: `${Math.max(0, Math.floor((validUntil - now) / 1000))}` };
}

function isAccepted({ status }: SipReply): boolean {
  return status >= 200 && status < 300;
}

function replyRefusal({ status, reason }: SipReply): RefusalError {
  const said = `${status} ${reason}`;
  switch (status) {
    case 408:
    case 504:
      return refuse('timeout', 'uncertain');
    case 503:
      return refuse('connection-lost', 'uncertain', { happened: `The connection or the network failed (${said})` });
    case 413:
    case 513:
      return refuse('too-large', 'message', {
        happened: `The message is too large for the network or the other side (${said})`,
      });
    case 406:
    case 415:
    case 488:
    case 606:
      return refuse('peer-incompatible', 'message', {
        happened: `The other side cannot or will not take it this way (${said})`,
      });
    case 493:
      return refuse('decryption-failed', 'message', {
        happened: `The other side could not decrypt the message (${said})`,
      });
    case 404:
    case 410:
    case 480:
    case 604:
      return refuse('peer-unreachable', 'message', { happened: `The other side could not be reached (${said})` });
    default:
      return refuse('peer-refused', 'message', {
        happened: `The other side or the network refused the message (${said})`,
      });
  }
}
