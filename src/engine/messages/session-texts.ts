import { concatBytes, utf8 } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { sha256 } from '../../crypto/digest.ts';
import type { ReceivedMessage } from '../../protocol/msrp/index.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import type { SessionView } from '../chat-message.ts';
import type { ContactPolicies } from '../contact-policies.ts';
import { limits } from '../limits.ts';
import { acceptsIncoming } from '../policy.ts';
import { refuse, type Refusal } from '../refusal.ts';
import type { SessionText } from '../sessions/session-content.ts';
import { AwaitedDisplays, type AwaitedDisplay } from '../sessions/session-receipts.ts';
import type { Arrivals } from './arrivals.ts';

export interface SessionTextsOptions {
  readonly clock: Clock;
  readonly policies: ContactPolicies;
  readonly arrivals: Arrivals;
  readonly onKept: (peer: string) => void;
  readonly onRefused: (peer: string, problem: Refusal) => void;
  readonly tellDisplayed: (display: AwaitedDisplay) => void;
}

/** Texts that come in sessions: kept once, and told as displayed where their senders asked for it. */
export class SessionTexts {
  readonly #options: SessionTextsOptions;
  readonly #awaitedDisplays = new AwaitedDisplays();

  constructor(options: SessionTextsOptions) {
    this.#options = options;
  }

  /**
   * A text that came in a session: resolves when it is kept for good. It is told from others by the id in its envelope or, where it
   * has none, by that of MSRP together with what it says.
   * @throws StoreError; RefusalError for one that names another sender, where the policy of the contact takes nothing in doubt
   */
  async keep(session: SessionView, content: SessionText, source: ReceivedMessage): Promise<void> {
    const { clock, policies, arrivals, onKept, onRefused } = this.#options;
    const { text, from, messageId, subject, sentAt, wants } = content;
    const { peer, evidence } = session;
    // A CPIM From that names somebody else makes the sender doubtful, whatever protects the session.
    const honest = from === undefined || tryKmsUserIdentity(from) === peer;
    const level = honest || session.level === 'none' ? session.level : 'unverified';
    const required = policies.policyFor(peer);
    if (!honest && !acceptsIncoming(required, level)) {
      const problem = refuse('policy-not-met', 'received', {
        happened: namesAnotherInSession,
        reached: level,
        required,
      });
      onRefused(peer, problem.refusal());
      throw problem;
    }
    const until = clock.now() + limits.rememberedMessageMilliseconds;
    const kept = await arrivals.keep(
      'msrp',
      {
        peer,
        text,
        level,
        evidence,
        ...(messageId === undefined ? {} : { messageId }),
        ...(subject === undefined ? {} : { subject }),
        ...(sentAt === undefined ? {} : { sentAt }),
      },
      messageId === undefined ? { seen: { key: bareKey(peer, source), until } } : {},
    );
    if (kept.outcome === 'kept') onKept(peer);
    if (kept.outcome === 'full') throw new Error('it cannot be told any more what is a copy');
    if (kept.outcome === 'copy' || messageId === undefined || !wants.display) return;
    this.#awaitedDisplays.add({ id: kept.message.id, peer, sessionId: session.id, level: session.level, messageId });
  }

  /** @param seen ids of messages that the user has now seen */
  displayed(peer: string, seen: readonly string[]): void {
    for (const display of this.#awaitedDisplays.take(peer, seen)) this.#options.tellDisplayed(display);
  }
}

const namesAnotherInSession =
  'A text came in a session, but it names another sender than the other side of the session';

function bareKey(peer: string, { messageId, contentType, bytes }: ReceivedMessage): Uint8Array {
  return sha256(concatBytes(utf8(`bare ${peer} ${messageId} ${contentType} `), sha256(bytes)));
}
