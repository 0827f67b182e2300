import { isAtLeast, type ProtectionLevel } from '../../base/protection-level.ts';
import type { SessionView } from '../chat-message.ts';
import { limits } from '../limits.ts';
import { refuse, type RefusalError } from '../refusal.ts';
import type { LiveSession } from './live-session.ts';
import type { SessionContext } from './session-context.ts';
import type { Protection } from './session-opener.ts';
import { SessionRecovery, type RecoveryOptions } from './session-recovery.ts';
import type { UnsettledMessage } from './unsettled-message.ts';

export interface SessionRecoveriesOptions {
  readonly context: SessionContext;
  readonly isAnswering: (peer: string) => boolean;
  readonly open: (
    peer: string,
    protection: Protection,
    judge: (level: ProtectionLevel) => RefusalError | undefined,
  ) => Promise<unknown>;
  readonly successorOf: (lost: SessionView) => LiveSession | undefined;
}

/** The sessions of one account that were lost and are being set up again, and the messages that wait for that. */
export class SessionRecoveries {
  readonly #options: SessionRecoveriesOptions;
  /** In the order of their loss. */
  readonly #pending = new Set<SessionRecovery>();

  constructor(options: SessionRecoveriesOptions) {
    this.#options = options;
  }

  begin(lost: Pick<RecoveryOptions, 'lost' | 'end' | 'messages' | 'hasEndedThere'>): void {
    const { context, open, isAnswering, successorOf } = this.#options;
    const { ports, userAgent } = context;
    const { peer, level } = lost.lost;
    const successor = successorOf(lost.lost);
    if (successor !== undefined) {
      successor.adopt(lost.messages);
      return;
    }
    // With nothing to send, a session that the other side ended is simply over; and one that did not last would not again.
    const isShort = ports.clock.now() - lost.lost.openedAt < limits.sessionShortMilliseconds;
    if ((lost.end === 'there' || isShort) && lost.messages.length === 0) return;
    const recovery = new SessionRecovery({
      ...lost,
      isShort,
      clock: ports.clock,
      random: ports.random,
      canTry: () => userAgent.registration.state === 'registered' && !isAnswering(peer),
      open: () => open(peer, protectionOf(lost.lost), (reached) => judgeRecovered(reached, level)),
      onOver: (problem) => {
        this.#pending.delete(recovery);
        if (problem !== undefined) this.#fail(recovery, problem);
      },
    });
    this.#pending.add(recovery);
    ports.log.log('info', 'session.recovering', { session: lost.lost.id, messages: lost.messages.length });
  }

  /** A session came to be, whoever opened it: what waits for one like it goes on there. */
  recovered(session: LiveSession): void {
    const { peer, level } = session.view;
    const matching = [...this.#pending].filter(({ lost }) => lost.peer === peer && isAtLeast(level, lost.level));
    session.adopt(matching.flatMap(({ messages }) => messages));
    for (const recovery of matching) {
      this.#log('session.recovered', { session: recovery.lost.id, by: session.view.id });
      recovery.end();
    }
  }

  /** Registered again. */
  wake(): void {
    for (const recovery of this.#pending) recovery.wake();
  }

  /** Waits for the recovery of such sessions, whatever becomes of it. */
  async over(matches: (lost: SessionView) => boolean): Promise<void> {
    await Promise.all([...this.#pending].filter(({ lost }) => matches(lost)).map(({ over }) => over));
  }

  /** False when there was nothing to give up. */
  giveUp(matches: (lost: SessionView) => boolean, problem: RefusalError): boolean {
    const matching = [...this.#pending].filter(({ lost }) => matches(lost));
    for (const recovery of matching) recovery.end(problem);
    return matching.length > 0;
  }

  #fail({ lost, messages }: SessionRecovery, problem: RefusalError): void {
    this.#log('session.recovery-failed', { session: lost.id, code: problem.code, reason: problem.happened });
    for (const message of messages) fail(message, problem);
  }

  #log(event: string, fields: Readonly<Record<string, string>>): void {
    this.#options.context.ports.log.log('info', event, fields);
  }
}

function fail(message: UnsettledMessage, problem: RefusalError): void {
  message.lose('connection-lost', `The session was lost and could not be set up again (${problem.happened})`);
}

/** The same kind of protection again: never another one because that would be easier to have. */
function protectionOf({ evidence }: SessionView): Protection {
  if (evidence.kind === 'msrp-psk-tls') return 'key-management';
  return evidence.kind === 'msrp-fingerprint-tls' ? 'requested' : 'plain';
}

function judgeRecovered(reached: ProtectionLevel, before: ProtectionLevel): RefusalError | undefined {
  if (isAtLeast(reached, before)) return undefined;
  return refuse('policy-not-met', 'session', {
    happened: 'The lost session could only have been set up again with less protection',
    reached,
  });
}
