import type { Clock } from '../../base/clock.ts';
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';

/** One thing without which no exchange can succeed. Rejects, or throws, while it is missing. */
export interface ReadinessCheck {
  readonly name: string;
  run(): void | Promise<void>;
}

export interface Readiness {
  readonly ready: boolean;
  /** By name: `ok` or `failed`; why is in the log. */
  readonly checks: Readonly<Record<string, 'ok' | 'failed'>>;
}

/** A storage that does not answer is one that is away. */
const checkMilliseconds = 3000;

/** Whether a load balancer should send clients here. */
export class ReadinessProbe {
  readonly #checks: readonly ReadinessCheck[];
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #failing = new Set<string>();
  #isLeaving = false;
  #running: Promise<Readiness> | undefined;

  constructor(checks: readonly ReadinessCheck[], { clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#checks = checks;
    this.#clock = clock;
    this.#log = log;
  }

  /** From now on it is not ready, whatever the checks say. */
  leave(): void {
    this.#isLeaving = true;
  }

  /** Whoever asks while checks run gets their result: a storm of probes is one look at the storage. */
  read(): Promise<Readiness> {
    this.#running ??= this.#runAll().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #runAll(): Promise<Readiness> {
    const results = await Promise.all(
      this.#checks.map(async (check) => [check.name, (await this.#passes(check)) ? 'ok' : 'failed'] as const),
    );
    const leaving = this.#isLeaving ? [['running', 'failed'] as const] : [];
    const checks = Object.fromEntries([...results, ...leaving]);
    return { ready: Object.values(checks).every((result) => result === 'ok'), checks };
  }

  async #passes(check: ReadinessCheck): Promise<boolean> {
    let cancel = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      cancel = this.#clock.after(checkMilliseconds, () => reject(new Error('no answer in time')));
    });
    try {
      await Promise.race([check.run(), late]);
      if (this.#failing.delete(check.name)) this.#log.log('info', 'kms.check-passed', { check: check.name });
      return true;
    } catch (error) {
      if (!this.#failing.has(check.name)) {
        this.#failing.add(check.name);
        this.#log.log('error', 'kms.check-failed', { check: check.name, reason: describeError(error) });
      }
      return false;
    } finally {
      cancel();
    }
  }
}
