import type { Clock } from '../../../src/base/clock.ts';
import type { OutgoingMessage, SipReply } from '../../../src/engine/sip/index.ts';
import { createMemoryStore, type AccountStore, type Store } from '../../../src/engine/store/index.ts';
import type { MemoryUserAgent } from './memory-sip.ts';

type Write = (store: Store) => void;

/** What of a part of an account changes it. */
const writers = {
  messages: ['add', 'change', 'remove', 'markRead', 'removeConversation', 'removeOlderThan'],
  outbox: ['put', 'remove'],
  seen: ['add'],
  sealed: ['put', 'remove'],
  notes: ['set', 'delete'],
} as const satisfies { [Part in keyof AccountStore]?: readonly string[] };
type Part = keyof typeof writers;

/**
 * A device whose program can be killed at any step and started again: what it had not made durable is gone then, its timers never
 * fire, what it was about to send never leaves, and no answer reaches it.
 */
export class MortalDevice {
  /** The steps of the run: each durable write before and after it is one, each message before it leaves and each answer. */
  steps = 0;
  /** The step at which it dies; never when undefined. */
  diesAt: number | undefined;
  onDeath: () => void = () => undefined;
  readonly #durable: Write[] = [];
  #life = 0;
  #isDead = false;

  get isDead(): boolean {
    return this.#isDead;
  }

  /** The program starts, with what was durable. */
  start(clock: Clock): { readonly store: Store; readonly clock: Clock; live(agent: MemoryUserAgent): void } {
    this.#life += 1;
    this.#isDead = false;
    const life = this.#life;
    const isAlive = (): boolean => this.#life === life && !this.#isDead;
    return {
      store: this.#store(isAlive),
      clock: { now: () => clock.now(), after: (wait, action) => clock.after(wait, () => isAlive() && action()) },
      live: (agent) => this.#haunt(agent, isAlive),
    };
  }

  kill(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.onDeath();
  }

  /** Resolves unless this is the end, or the end has been. */
  async #step(isAlive: () => boolean): Promise<void> {
    if (isAlive() && this.steps++ === this.diesAt) this.kill();
    if (!isAlive()) await new Promise<never>(() => undefined);
  }

  #store(isAlive: () => boolean): Store {
    const store = createMemoryStore({ reason: 'test' });
    for (const write of this.#durable) write(store);
    let written: Write[] = [];
    const durable = async (): Promise<void> => {
      await this.#step(isAlive);
      this.#durable.push(...written);
      written = [];
      await this.#step(isAlive);
    };
    const transaction = <Result>(work: () => Result): Result => {
      const before = written.length;
      try {
        return store.transaction(work);
      } catch (error) {
        written.length = before;
        throw error;
      }
    };
    const recording = (id: string, part: Part): unknown =>
      new Proxy(store.account(id)[part], {
        get: (target, name) => {
          const value = Reflect.get(target, name) as unknown;
          if (typeof value !== 'function') return value;
          return (...given: unknown[]): unknown => {
            if ((writers[part] as readonly string[]).includes(String(name))) {
              written.push((other) => call(other.account(id)[part], name, given));
            }
            return call(target, name, given);
          };
        },
      });
    const account = (id: string): AccountStore => ({
      ...(Object.fromEntries((Object.keys(writers) as Part[]).map((part) => [part, recording(id, part)])) as Pick<
        AccountStore,
        Part
      >),
      transaction,
      durable,
    });
    return new Proxy(store, {
      get: (target, name) => {
        if (name === 'account') return account;
        if (name === 'durable') return durable;
        if (name === 'transaction') return transaction;
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? (...given: unknown[]) => call(target, name, given) : value;
      },
    });
  }

  #haunt(agent: MemoryUserAgent, isAlive: () => boolean): void {
    const send = agent.sendMessage.bind(agent);
    agent.sendMessage = async (message: OutgoingMessage): Promise<SipReply> => {
      await this.#step(isAlive);
      const reply = await send(message);
      await this.#step(isAlive);
      return reply;
    };
    const invite = agent.invite.bind(agent);
    agent.invite = async (given) => {
      await this.#step(isAlive);
      const outcome = await invite(given);
      await this.#step(isAlive);
      return outcome;
    };
    const receive = agent.receiveMessage.bind(agent);
    agent.receiveMessage = async (from, message) => {
      if (!isAlive()) return new Promise<never>(() => undefined);
      const reply = await receive(from, message);
      // It died before its answer left.
      await this.#step(isAlive);
      return reply;
    };
    agent.unregister = () => Promise.resolve(agent.registration);
  }
}

function call(target: object, name: string | symbol, given: readonly unknown[]): unknown {
  return (Reflect.get(target, name) as (...all: unknown[]) => unknown).apply(target, [...given]);
}
