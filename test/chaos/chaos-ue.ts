import { fileURLToPath } from 'node:url';
import type { Answer, ShownMessage } from './ledger.ts';
import { sealedMark, openMark, type PartyName, type PlannedMessage } from './plan.ts';
import { SupervisedProcess } from './supervised-process.ts';

const program = fileURLToPath(new URL('../../src/cli/ue.ts', import.meta.url));

interface RpcLine {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message?: string };
}

const registerAgainMilliseconds = 1500;
const pageSize = 200;
/** Asked for everything that a UE keeps, on a machine that has much else to do. */
const answerMilliseconds = 120_000;

/** A UE with a store, driven over JSON-RPC, which is killed and started again while it sends and receives. */
export class ChaosUe {
  readonly name: PartyName;
  readonly process: SupervisedProcess;
  /** The last answer to each text. */
  readonly answers = new Map<string, Answer>();
  /** The ids under which each text was told as received. */
  readonly told = new Map<string, Set<string>>();
  readonly rewritten = new Set<string>();
  /** The last notifications of each message, by text. */
  readonly events = new Map<string, string[]>();
  /** Lines of the log that hold a text of a user. */
  leakedLines = 0;
  readonly #peer: string;
  /** Written by the user and not yet answered by this life of the UE, in order. */
  readonly #unanswered = new Map<string, PlannedMessage>();
  readonly #asked = new Set<string>();
  readonly #calls = new Map<number, (line: RpcLine) => void>();
  #nextId = 1;
  #life = 0;
  /** True from when a life has taken up what the one before left. */
  #isTaking = false;

  constructor(name: PartyName, configFile: string, logFile: string) {
    this.name = name;
    this.#peer = `sip:${name === 'alice' ? 'bob' : 'alice'}@lab.test`;
    this.process = new SupervisedProcess({ name, args: [program, '--config', configFile, '--log', 'info'], logFile });
    this.process.onLine((line) => this.#heard(JSON.parse(line) as RpcLine));
    this.process.onErrorLine((line) => {
      if (line.includes(sealedMark) || line.includes(openMark)) this.leakedLines += 1;
    });
  }

  /** Starts it, has it register, and gives it again what it has not kept of what it was given before. */
  async start(): Promise<void> {
    const life = ++this.#life;
    this.process.start();
    void this.#register(life);
    if (this.#unanswered.size > 0 && !(await this.#takeUp(life))) return;
    this.#isTaking = true;
  }

  /** What was written and not answered for is written again, unless it is kept. False when this life is over. */
  async #takeUp(life: number): Promise<boolean> {
    let kept: readonly ShownMessage[];
    try {
      kept = await this.conversation();
    } catch (error) {
      if (life !== this.#life) return false;
      throw error;
    }
    if (life !== this.#life) return false;
    const texts = new Set(kept.filter(({ direction }) => direction === 'out').map(({ text }) => text));
    for (const [text, message] of [...this.#unanswered]) {
      if (texts.has(text)) this.#unanswered.delete(text);
      else {
        if (this.#asked.has(text)) this.rewritten.add(text);
        this.#ask(message);
      }
    }
    return true;
  }

  async kill(): Promise<void> {
    this.#life += 1;
    this.#isTaking = false;
    await this.process.kill();
    for (const abandon of [...this.#calls.values()]) abandon({});
    this.#calls.clear();
  }

  /** As a user does who writes also while the app is being started. */
  send(message: PlannedMessage): void {
    this.#unanswered.set(message.text, message);
    if (this.#isTaking) this.#ask(message);
  }

  /** Nothing is waiting for its first answer. */
  get isSettled(): boolean {
    return this.#isTaking && this.#unanswered.size === 0;
  }

  /** All messages with the peer that it keeps, oldest first. @throws Error when it does not say, as when it was killed */
  async conversation(): Promise<ShownMessage[]> {
    const all: ShownMessage[] = [];
    for (let before: string | undefined; ;) {
      const page = { peer: this.#peer, limit: pageSize, ...(before === undefined ? {} : { before }) };
      const { result, error } = await this.#call('history.page', page);
      if (result === undefined)
        throw new Error(`${this.name} does not tell its messages: ${error?.message ?? 'silence'}`);
      const messages = result['messages'] as ShownMessage[];
      all.unshift(...messages);
      before = messages[0]?.id;
      if (result['hasMore'] !== true || before === undefined) return all;
    }
  }

  async #register(life: number): Promise<void> {
    while (life === this.#life) {
      const { result } = await this.#call('register', {});
      if (result?.['state'] === 'registered' || result?.['willRetry'] === true) return;
      await new Promise((resolve) => setTimeout(resolve, registerAgainMilliseconds));
    }
  }

  #ask({ text, way, policy }: PlannedMessage): void {
    this.#asked.add(text);
    void this.#call('message.send', { to: this.#peer, text, way, policy }).then(({ result }) => {
      const outcome = result?.['outcome'];
      if (outcome === undefined) return;
      this.answers.set(text, outcome as Answer);
      this.#note(text, `answer ${JSON.stringify(outcome)}`);
      this.#unanswered.delete(text);
    });
  }

  /** An empty line when the UE dies before it answers, or says nothing for very long. */
  #call(method: string, params: object): Promise<RpcLine> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      const timer = setTimeout(() => done({}), method === 'message.send' ? 2 ** 31 - 1 : answerMilliseconds);
      const done = (line: RpcLine): void => {
        clearTimeout(timer);
        this.#calls.delete(id);
        resolve(line);
      };
      this.#calls.set(id, done);
      this.process.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
  }

  #heard(line: RpcLine): void {
    if (line.id !== undefined) this.#calls.get(line.id)?.(line);
    const { text, id, state, level, problem } = (line.params ?? {}) as Partial<ShownMessage>;
    if (text === undefined || text === '') return;
    if (line.method === 'message.received' && id !== undefined) {
      this.told.set(text, (this.told.get(text) ?? new Set()).add(id));
    }
    if (line.method?.startsWith('message.') === true) {
      this.#note(text, `${line.method} ${state ?? ''} ${level ?? ''} ${problem?.code ?? ''}`.trimEnd());
    }
  }

  #note(text: string, event: string): void {
    const events = this.events.get(text) ?? [];
    this.events.set(text, events);
    events.push(`${new Date().toISOString().slice(11, 23)} ${this.name}: ${event}`);
    if (events.length > 20) events.shift();
  }
}
