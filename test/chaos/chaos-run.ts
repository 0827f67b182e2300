import type { ChaosNetwork } from './chaos-network.ts';
import { join } from 'node:path';
import { describeError } from '../../src/base/errors.ts';
import { ChaosUe } from './chaos-ue.ts';
import { judge, type Verdict } from './ledger.ts';
import { describeFault, partyNames, type Fault, type PartyName, type Plan } from './plan.ts';

export interface ChaosOutcome {
  readonly verdicts: readonly Verdict[];
  /** What is wrong besides messages. */
  readonly problems: readonly string[];
  readonly ues: readonly ChaosUe[];
}

const quietCheckMilliseconds = 2000;
/** So many checks are made at most: counted, not timed, so that a machine that stands still meanwhile does not end the wait. */
const quietChecks = 180;

/** Carries out a plan against a network and judges what came of it. */
export class ChaosRun {
  readonly #network: ChaosNetwork;
  readonly #ues: Readonly<Record<PartyName, ChaosUe>>;
  readonly #print: (line: string) => void;
  readonly #restarts = new Set<Promise<void>>();
  readonly #down = new Set<string>();
  readonly #failures: string[] = [];
  #startedAt = 0;

  constructor(network: ChaosNetwork, print: (line: string) => void) {
    this.#network = network;
    this.#print = print;
    this.#ues = {
      alice: new ChaosUe('alice', network.configFiles.alice, join(network.folder, 'alice.log')),
      bob: new ChaosUe('bob', network.configFiles.bob, join(network.folder, 'bob.log')),
    };
  }

  async run(plan: Plan): Promise<ChaosOutcome> {
    this.#startedAt = Date.now();
    await Promise.all(Object.values(this.#ues).map((ue) => ue.start()));
    await Promise.all([this.#write(plan), this.#disturb(plan)]);
    await this.#until(plan.peaceAt);
    await Promise.all(this.#restarts);
    this.#network.leaveInPeace();
    this.#tell('nothing disturbs any more');
    const isQuiet = await this.#waitForQuiet(plan);
    const conversations = {
      alice: await this.#ues.alice.conversation(),
      bob: await this.#ues.bob.conversation(),
    };
    const verdicts = judge({
      planned: plan.messages,
      answers: new Map([...this.#ues.alice.answers, ...this.#ues.bob.answers]),
      conversations,
      told: { alice: this.#ues.alice.told, bob: this.#ues.bob.told },
      rewritten: new Set([...this.#ues.alice.rewritten, ...this.#ues.bob.rewritten]),
    });
    return { verdicts, problems: this.#problems(isQuiet), ues: Object.values(this.#ues) };
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.#ues).map((ue) => ue.kill()));
  }

  async #write({ messages }: Plan): Promise<void> {
    for (const message of messages) {
      await this.#until(message.at);
      this.#ues[message.from].send(message);
    }
  }

  async #disturb({ faults }: Plan): Promise<void> {
    for (const fault of faults) {
      await this.#until(fault.at);
      this.#tell(describeFault(fault));
      this.#apply(fault);
    }
  }

  #apply(fault: Fault): void {
    if (fault.kind === 'kill') {
      const restart = this.#restart(fault.target, fault.downFor).catch((error: unknown) => {
        this.#failures.push(describeError(error));
      });
      this.#restarts.add(restart);
      void restart.finally(() => this.#restarts.delete(restart));
      return;
    }
    const link = this.#network.links[fault.link];
    if (fault.kind === 'cut') link.cut();
    else if (fault.kind === 'stall') link.stall(fault.lasts);
    else if (fault.kind === 'slow') link.slow(fault.lasts, fault.delay);
    else link.refuse(fault.lasts);
  }

  /** A process that is down, or on its way up, is left alone. */
  async #restart(target: 'lab' | 'kms' | PartyName, downFor: number): Promise<void> {
    if (this.#down.has(target)) return;
    this.#down.add(target);
    const { lab, kms } = this.#network;
    const isServer = target === 'lab' || target === 'kms';
    const server = target === 'lab' ? lab : kms;
    await (isServer ? server.kill() : this.#ues[target].kill());
    await new Promise((resolve) => setTimeout(resolve, downFor));
    if (!isServer) await this.#ues[target].start();
    else if (target === 'lab') await lab.startUntil((line) => line.startsWith('Ctrl-C'));
    else await kms.startUntil((line) => line.includes('listens on'));
    this.#down.delete(target);
  }

  /** Quiet is when every message that was written has come to an end, and what was taken by the network has arrived. */
  async #waitForQuiet(plan: Plan): Promise<boolean> {
    for (let check = 0; check < quietChecks; check++) {
      await new Promise((resolve) => setTimeout(resolve, quietCheckMilliseconds));
      if (!Object.values(this.#ues).every((ue) => ue.isSettled)) continue;
      const conversations = [await this.#ues.alice.conversation(), await this.#ues.bob.conversation()];
      const states = conversations.flat().filter(({ direction }) => direction === 'out');
      const arrived = new Set(
        conversations.flat().flatMap(({ direction, text }) => (direction === 'in' ? [text] : [])),
      );
      const open = states.filter(({ state, text }) => isOpen(state) || (state === 'accepted' && !arrived.has(text)));
      this.#tell(`${open.length} messages of ${plan.messages.length} are not at their end`);
      if (open.length === 0) return true;
    }
    return false;
  }

  #problems(isQuiet: boolean): string[] {
    const { lab, kms } = this.#network;
    const processes = [lab, kms, ...partyNames.map((name) => this.#ues[name].process)];
    return [
      ...(isQuiet ? [] : ['it did not become quiet']),
      ...this.#failures,
      ...processes.flatMap(({ name, ownEnds, lastLines }) =>
        ownEnds > 0 ? [`${name} ended by itself: ${lastLines.slice(-5).join(' | ')}`] : [],
      ),
      ...Object.values(this.#ues).flatMap(({ name, leakedLines }) =>
        leakedLines > 0 ? [`${name} wrote texts of messages into its log`] : [],
      ),
    ];
  }

  async #until(at: number): Promise<void> {
    const wait = this.#startedAt + at - Date.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  }

  #tell(what: string): void {
    this.#print(`${((Date.now() - this.#startedAt) / 1000).toFixed(1).padStart(7)} s  ${what}`);
  }
}

function isOpen(state: string): boolean {
  return state === 'queued' || state === 'sent';
}
