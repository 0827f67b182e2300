import { isAtLeast, type Policy, type ProtectionLevel } from '../../base/protection-level.ts';
import { mayOfferLess } from '../downgrade.ts';
import type { Evidence } from '../evidence.ts';
import { listRequestHeaders, recipientListPart, withRecipientList } from '../groups/recipient-list.ts';
import { writeTextContent } from '../message-content.ts';
import type { Attempt } from '../outbox/carrier.ts';
import type { ContactPolicies } from '../contact-policies.ts';
import { aimOf } from '../policy.ts';
import type { EnginePorts } from '../ports.ts';
import type { ReceiptSettings } from '../receipts/receipt-settings.ts';
import { asRefusalError, refuse, type RefusalError } from '../refusal.ts';
import type { FlowFacts, SipReply, SipUserAgent } from '../sip/index.ts';
import { plainText, type TextContent } from '../text-content.ts';
import { isAccepted, type ContentSender } from './content-sender.ts';
import type { PeerAbilities } from './peer-abilities.ts';
import { replyRefusal } from './reply-refusal.ts';
import { signallingProtection } from './signalling-level.ts';

export interface MessageSenderOptions {
  readonly ports: EnginePorts;
  readonly userAgent: SipUserAgent;
  readonly contents: ContentSender;
  readonly policies: ContactPolicies;
  readonly abilities: PeerAbilities;
  readonly receipts: ReceiptSettings;
  /** KMS user identity of this account. */
  readonly self: string;
}

/** One attempt at a text. */
export interface TextToPeer extends Pick<Attempt, 'messageId' | 'isAgain' | 'leaving'> {
  /** Whose consent counts: the recipient or, of a message to several, their group. */
  readonly peer: string;
  readonly text: string;
  /** When it was written, milliseconds since 1970. */
  readonly at: number;
  readonly policy: Policy;
  /** It leaves at this or better, or not at all. */
  readonly floor: ProtectionLevel;
  /** Of a message to several. */
  readonly list?: ListToReach;
  /** Of a message to several that goes to one of them alone: to whom it went. */
  readonly audience?: readonly string[];
}

/** Several recipients that one request reaches (RFC 5365). */
export interface ListToReach {
  /** KMS user identities. */
  readonly recipients: readonly string[];
  /** URI of the list service. */
  readonly service: string;
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

  /** End to end or not at all. */
  async #sendEndToEnd(message: TextToPeer): Promise<SentMessage> {
    const { peer, messageId, list, audience = [peer], leaving } = message;
    const { reply, evidence } = await this.#options.contents.sealed({
      messageId,
      content: this.#envelope(message),
      leaving: (proof) => (proof === undefined ? Promise.resolve() : leaving({ level: 'e2e', evidence: proof })),
      ...(list === undefined
        ? { recipient: peer, audience }
        : {
            recipient: list.service,
            audience: list.recipients,
            otherParts: [recipientListPart(list.recipients)],
            headers: listRequestHeaders,
          }),
    });
    if (!isAccepted(reply)) throw refusalOf(reply, list);
    return { messageId, level: 'e2e', evidence };
  }

  async #sendBySignalling(message: TextToPeer, why?: RefusalError): Promise<SentMessage> {
    const { ports, userAgent, policies, abilities } = this.#options;
    const { peer, text, messageId, policy, floor, isAgain, list, leaving } = message;
    const { flow } = userAgent;
    const { level, evidence } = signallingProtection(flow, ports.clock.now());
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
    const isBare = list === undefined && !abilities.takes(peer, 'cpim');
    if (isBare && isAgain) throw copyUntold();
    const told = (): Promise<void> => leaving({ level, evidence });
    let reply = await this.#request(message, isBare ? plainText(text) : this.#envelope(message), flow, told);
    if (reply.status === 415 && !isBare && list === undefined) {
      // A peer without CPIM gets the bare text: the same protection, less envelope. It is durable that it takes no other
      // before the bare one leaves: after a crash that one cannot be told from a copy.
      abilities.noteRefusal(peer, 'cpim');
      reply = await this.#request(message, plainText(text), flow, told);
      if (reply.status === 415) abilities.forget(peer, 'cpim');
    }
    if (!isAccepted(reply)) throw refusalOf(reply, list);
    return { messageId, level, evidence };
  }

  #request(
    { peer, messageId, list }: TextToPeer,
    content: TextContent,
    flow: FlowFacts | undefined,
    leaving: () => Promise<void>,
  ): Promise<SipReply> {
    const { contents, ports } = this.#options;
    if (list === undefined) return contents.bySignalling({ recipient: peer, messageId, content, leaving }, flow);
    const request = {
      recipient: list.service,
      messageId,
      content: withRecipientList(content, list.recipients, ports.random),
      headers: listRequestHeaders,
      leaving,
    };
    return contents.bySignalling(request, flow);
  }

  #envelope({ peer, text, messageId, at, list, audience = [peer] }: TextToPeer): TextContent {
    const { self, receipts, abilities } = this.#options;
    const to = list?.recipients ?? audience;
    const wants = receipts.wanted(peer, to.length, abilities.takes(peer, 'imdn'));
    return writeTextContent({ from: self, to, at, messageId }, text, wants);
  }
}

/** RFC 5365 section 7: who serves no lists says so by 420, or does not know the method; 404 may be about a recipient too. */
function refusalOf(reply: SipReply, list: ListToReach | undefined): RefusalError {
  const { status, reason } = reply;
  if (list === undefined || ![404, 405, 420, 501].includes(status)) return replyRefusal(reply);
  const happened =
    status === 404
      ? `The network knows no list service at ${list.service}, or not every recipient (404 ${reason})`
      : `The network serves no lists at ${list.service} (${status} ${reason})`;
  return refuse(status === 404 ? 'peer-unreachable' : 'peer-incompatible', 'message', { happened });
}

/** A peer that takes nothing but bare text cannot tell a copy: the user decides. */
function copyUntold(): RefusalError {
  return refuse('peer-incompatible', 'uncertain', {
    happened:
      'It was sent before without an answer, and the other side could not tell a second copy of it from a new message',
  });
}
