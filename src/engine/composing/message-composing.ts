import type { Policy, ProtectionLevel } from '../../base/protection-level.ts';
import { describeError } from '../../base/errors.ts';
import { randomId } from '../../base/random.ts';
import type { ComposingStatus } from '../../protocol/composing/index.ts';
import { limits } from '../limits.ts';
import { writeComposingContent } from '../message-content.ts';
import { isAccepted, type ContentSender } from '../messages/content-sender.ts';
import type { PeerAbilities } from '../messages/peer-abilities.ts';
import { signallingProtection } from '../messages/signalling-level.ts';
import type { ContactPolicies } from '../contact-policies.ts';
import { acceptsIncoming, aimOf, judgeSending } from '../policy.ts';
import type { EnginePorts } from '../ports.ts';
import { ComposingExchange } from '../sessions/composing-exchange.ts';
import type { FlowFacts, SipReply, SipUserAgent } from '../sip/index.ts';

export interface MessageComposingOptions {
  readonly ports: EnginePorts;
  readonly self: string;
  readonly userAgent: SipUserAgent;
  readonly contents: ContentSender;
  readonly policies: ContactPolicies;
  readonly abilities: PeerAbilities;
  /** The account tells its peers that the user writes. */
  readonly tells: boolean;
  readonly onChange: (peer: string, isWriting: boolean) => void;
}

/** Begins the Message-IDs of these: a device that cannot read one yet need not show that something came. */
export const composingIdPrefix = 'isc-';

interface Partner {
  readonly exchange: ComposingExchange;
  policy: Policy;
  toldAt: number;
}

/** Who is writing where no session stands: told and shown by single messages (RFC 3994), as protected as the texts would be. */
export class MessageComposing {
  readonly #options: MessageComposingOptions;
  readonly #partners = new Map<string, Partner>();
  #stopped = false;

  constructor(options: MessageComposingOptions) {
    this.#options = options;
  }

  /** The user writes to `peer`, or has taken away what was written. False when the peer is not told. */
  typed(peer: string, policy: Policy, isWriting: boolean): boolean {
    const { tells, abilities, userAgent } = this.#options;
    if (!tells || userAgent.registration.state !== 'registered' || !abilities.takes(peer, 'composing')) return false;
    if (this.#wayOf(peer, policy, this.#options.userAgent.flow) === undefined) return false;
    const partner = this.#partner(peer, policy);
    partner.policy = policy;
    if (isWriting) partner.exchange.typed();
    else partner.exchange.cleared();
    return true;
  }

  /** A text went to `peer`, by whichever way: it says itself that it is written. */
  sent(peer: string): void {
    this.#partners.get(peer)?.exchange.sent();
  }

  /** A text of `peer` came, by whichever way. */
  messageArrived(peer: string): void {
    this.#partners.get(peer)?.exchange.messageArrived();
  }

  /** @param level as which it came; the policy for the contact may want more. */
  told(peer: string, level: ProtectionLevel, status: ComposingStatus): void {
    const policy = this.#options.policies.policyFor(peer);
    if (!acceptsIncoming(policy, level) || (status.state === 'idle' && !this.#partners.has(peer))) return;
    this.#partner(peer, policy).exchange.told(status);
  }

  stop(): void {
    this.#stopped = true;
    for (const { exchange } of this.#partners.values()) exchange.close();
    this.#partners.clear();
  }

  #partner(peer: string, policy: Policy): Partner {
    const known = this.#partners.get(peer);
    if (known !== undefined) return known;
    const partner: Partner = {
      policy,
      toldAt: -Infinity,
      exchange: new ComposingExchange({
        clock: this.#options.ports.clock,
        tell: (status) => void this.#tell(peer, status),
        onChange: (isWriting) => this.#options.onChange(peer, isWriting),
      }),
    };
    this.#partners.set(peer, partner);
    if (this.#partners.size > limits.composingPeers) {
      // The longest known; if it writes still, it will say so again.
      const [[oldest, { exchange }] = [peer, partner] as const] = this.#partners;
      exchange.close();
      this.#partners.delete(oldest);
    }
    return partner;
  }

  /** What the policy would let a text go by without a question; undefined when there would be one. */
  #wayOf(peer: string, policy: Policy, flow: FlowFacts | undefined): 'sealed' | 'signalling' | undefined {
    const { policies, ports } = this.#options;
    const agreed = policies.agreedLevel(peer);
    if (aimOf(policy) === 'e2e' && agreed === undefined) return 'sealed';
    const { level } = signallingProtection(flow, ports.clock.now());
    if (judgeSending(policy, level, agreed) === 'satisfied') return 'signalling';
    return aimOf(policy) === 'e2e' ? 'sealed' : undefined;
  }

  /** Its loss harms nobody: it is tried once, and a 415 ends it for this peer. */
  async #tell(peer: string, status: ComposingStatus): Promise<void> {
    const { ports, abilities } = this.#options;
    const partner = this.#partners.get(peer);
    const now = ports.clock.now();
    if (partner === undefined || this.#stopped || !abilities.takes(peer, 'composing')) return;
    if (status.state === 'active' && Math.abs(now - partner.toldAt) < limits.composingGapMilliseconds) {
      // As if nothing had been typed: the next key tells it.
      partner.exchange.sent();
      return;
    }
    partner.toldAt = now;
    try {
      const reply = await this.#send(peer, partner.policy, status);
      if (reply?.status === 415) abilities.noteRefusal(peer, 'composing');
      else if (reply !== undefined && !isAccepted(reply)) {
        ports.log.log('debug', 'composing.refused', { status: reply.status });
      }
    } catch (error) {
      ports.log.log('debug', 'composing.not-told', { reason: describeError(error) });
    }
  }

  async #send(peer: string, policy: Policy, status: ComposingStatus): Promise<SipReply | undefined> {
    const { ports, self, contents, userAgent } = this.#options;
    const { flow } = userAgent;
    const messageId = composingIdPrefix + randomId(ports.random, 12);
    const envelope = { from: self, to: [peer], at: ports.clock.now(), messageId };
    const message = { recipient: peer, messageId, content: writeComposingContent(envelope, status) };
    switch (this.#wayOf(peer, policy, flow)) {
      case 'sealed':
        return (await contents.sealed(message)).reply;
      case 'signalling':
        return contents.bySignalling(message, flow);
      case undefined:
        return undefined;
    }
  }
}
