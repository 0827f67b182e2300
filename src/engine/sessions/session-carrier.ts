import { isAtLeast, type Policy, type ProtectionLevel } from '../../base/protection-level.ts';
import type { ChatMessage } from '../chat-message.ts';
import type { Attempt, Carried, Carrier } from '../outbox/carrier.ts';
import type { ContactPolicies } from '../policy.ts';
import { refuse, RefusalError } from '../refusal.ts';
import type { OutboxEntry } from '../store/index.ts';
import type { SessionBook } from './session-book.ts';
import type { SentReceipts } from './session-receipts.ts';

export interface SessionCarrierOptions {
  /** Our own address. */
  readonly self: string;
  readonly policies: ContactPolicies;
  readonly sessions: () => SessionBook;
  readonly receipts: SentReceipts;
}

/** Brings texts of the outbox over in MSRP sessions. What is lost with a session is first that session's own care. */
export class SessionCarrier implements Carrier {
  readonly #options: SessionCarrierOptions;

  constructor(options: SessionCarrierOptions) {
    this.#options = options;
  }

  async carry({ message, entry, messageId, isAgain, isWanted, leaving }: Attempt): Promise<Carried> {
    const { self, sessions, receipts } = this.#options;
    const { peer, floor } = entry;
    const policy = this.#policyOf(entry);
    const found = await sessions()
      .sessionFor(peer, policy, isWanted)
      .catch((error: unknown) => {
        throw hasWaited(message) ? keysFirst(error) : error;
      });
    const { level, evidence } = found.view;
    if (!isAtLeast(level, floor)) throw this.#below(entry, level);
    if (isAgain && !found.tellsCopies) {
      throw refuse('peer-incompatible', 'uncertain', {
        happened:
          'It was sent before without an answer, and the other side could not tell a second copy of it from a new message',
      });
    }
    receipts.begin(messageId);
    try {
      await leaving({ level, evidence });
      const text = { from: self, to: peer, at: message.at, messageId, text: message.text };
      const carried = await sessions().send(peer, text, policy, floor);
      return { level: carried.level, evidence: carried.evidence, state: 'delivered' };
    } finally {
      // What the peer's device told meanwhile counts, whatever became of the session.
      receipts.finish(messageId);
    }
  }

  #below({ peer, policy }: OutboxEntry, level: ProtectionLevel): RefusalError {
    if (policy !== 'prefer-e2e') return refuse('policy-not-met', 'message', { reached: level, required: policy });
    this.#options.policies.noteOffer(peer, level);
    return refuse('consent-required', 'message', { offered: level, reached: level, required: policy });
  }

  /** Consent that came later lowers nothing that was promised, and a question is asked only where there was none. */
  #policyOf({ peer, policy, floor }: OutboxEntry): Policy {
    if (policy !== 'prefer-e2e' || floor !== 'e2e') return policy;
    return this.#options.policies.agreedLevel(peer) === undefined ? policy : 'require-e2e';
  }
}

function hasWaited({ problem }: ChatMessage): boolean {
  return problem !== undefined;
}

/** The user was asked when it was written; what waits since then goes on waiting for its keys, and the question stands. */
function keysFirst(error: unknown): unknown {
  if (!(error instanceof RefusalError) || error.code !== 'consent-required') return error;
  const { cause: why, details } = error;
  if (!(why instanceof RefusalError) || why.code !== 'kms-unreachable') return error;
  return refuse(why.code, 'message', { ...why.details, ...details, cause: why });
}
