import type { CancelTimer, Clock } from '../../base/clock.ts';
import { isAtLeast, type Policy, type ProtectionLevel } from '../../base/protection-level.ts';
import type { SessionView } from '../chat-message.ts';
import { limits } from '../limits.ts';
import { refuse, type RefusalError } from '../refusal.ts';
import type { TextToSend } from '../text-content.ts';

interface Settle {
  readonly resolve: (view: SessionView) => void;
  readonly reject: (error: unknown) => void;
}

/** A message of ours of which it is not yet known whether it arrived; it may outlive the session that it was sent in. */
export class UnsettledMessage {
  readonly peer: string;
  readonly message: TextToSend;
  readonly policy: Policy;
  /** No session below it carries the message. */
  readonly floor: ProtectionLevel;
  /** The weakest session that carried it. Rejects with a RefusalError; `uncertain` once it was sent. */
  readonly result: Promise<SessionView>;
  readonly #cancelDeadline: CancelTimer;
  #settle: Settle | undefined;
  #weakest: SessionView | undefined;

  constructor(clock: Clock, peer: string, message: TextToSend, policy: Policy, floor: ProtectionLevel = 'none') {
    this.peer = peer;
    this.message = message;
    this.policy = policy;
    this.floor = floor;
    this.result = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#cancelDeadline = clock.after(limits.sessionMessageMilliseconds, () =>
      this.lose('timeout', 'The other side did not confirm the message in time'),
    );
  }

  get isSettled(): boolean {
    return this.#settle === undefined;
  }

  /** Whether it may have arrived. */
  get isBegun(): boolean {
    return this.#weakest !== undefined;
  }

  /** It is handed to a session: from now on its text may be known to whoever can read there. */
  begin(view: SessionView): void {
    if (this.#weakest === undefined || !isAtLeast(view.level, this.#weakest.level)) this.#weakest = view;
  }

  arrive(): void {
    const weakest = this.#weakest;
    if (weakest !== undefined) this.#end()?.resolve(weakest);
  }

  fail(error: unknown): void {
    this.#end()?.reject(error);
  }

  /** It may have arrived if it was ever handed to a session. */
  lose(code: 'connection-lost' | 'timeout', happened: string): void {
    this.fail(this.#lost(code, happened));
  }

  #lost(code: 'connection-lost' | 'timeout', happened: string): RefusalError {
    return refuse(code, this.#weakest === undefined ? 'message' : 'uncertain', { happened });
  }

  #end(): Settle | undefined {
    const settle = this.#settle;
    this.#settle = undefined;
    this.#cancelDeadline();
    return settle;
  }
}
