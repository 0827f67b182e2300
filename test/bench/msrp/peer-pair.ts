import { startPinned, type PinnedProcess } from '../support/pinned-process.ts';
import type { PeerCommand, PeerReply, PeerTask } from './peer-messages.ts';
import type { Figures } from './scenario.ts';
import type { Protection } from './wire.ts';

const program = new URL('peer.ts', import.meta.url).pathname;
const senderCore = 0;
const receiverCore = 1;

/** What one run cost on both sides; `run` holds the scenario's own figures. */
export interface PairFigures {
  readonly run: Figures;
  readonly seconds: number;
  /** Of both processes. */
  readonly cpuSeconds: number;
  /** Most resident memory above what was there before the run: of the process that needed more. */
  readonly peakMebibytes: number;
}

export interface PairOptions extends Omit<PeerTask, 'protection'> {
  readonly protections: { readonly active: Protection; readonly passive: Protection };
  readonly profile: string | undefined;
}

/** Two processes, each on a core of its own, connected over loopback. */
export class PeerPair {
  readonly description: string;
  readonly #sender: Peer;
  readonly #receiver: Peer;

  private constructor(sender: Peer, receiver: Peer, description: string) {
    this.#sender = sender;
    this.#receiver = receiver;
    this.description = description;
  }

  static async open({ protections, profile, ...task }: PairOptions): Promise<PeerPair> {
    const receiver = await Peer.start(receiverCore, profile);
    const sender = await Peer.start(senderCore, profile);
    const listening = await receiver.ask({ type: 'listen', task: { ...task, protection: protections.passive } });
    const { port } = expected(listening, 'listening');
    const accepted = receiver.next();
    const ready = await sender.ask({ type: 'connect', port, task: { ...task, protection: protections.active } });
    expected(await accepted, 'ready');
    return new PeerPair(sender, receiver, expected(ready, 'ready').description);
  }

  /** @param share part of the whole work. */
  async run(share = 1): Promise<PairFigures> {
    await this.#receiver.ask({ type: 'begin' });
    const near = expected(await this.#sender.ask({ type: 'run', share }), 'figures').figures;
    const far = expected(await this.#receiver.ask({ type: 'measures' }), 'figures').figures;
    return {
      run: near,
      seconds: near['seconds'] ?? 0,
      cpuSeconds: (near['cpuSeconds'] ?? 0) + (far['cpuSeconds'] ?? 0),
      peakMebibytes: Math.max(near['peakMebibytes'] ?? 0, far['peakMebibytes'] ?? 0),
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#sender.end(), this.#receiver.end()]);
  }
}

class Peer {
  readonly #process: PinnedProcess;
  readonly #replies: PeerReply[] = [];
  #waiting: { readonly resolve: (reply: PeerReply) => void; readonly reject: (error: Error) => void } | undefined;

  private constructor(process: PinnedProcess) {
    this.#process = process;
    process.child.on('message', (reply: PeerReply) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting === undefined) this.#replies.push(reply);
      else waiting.resolve(reply);
    });
    process.child.once('exit', (code) => this.#waiting?.reject(new Error(`a measured process ended with ${code}`)));
  }

  static async start(core: number, profile: string | undefined): Promise<Peer> {
    const flags = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile];
    return new Peer(await startPinned(core, process.execPath, [...flags, program], { hasChannel: true }));
  }

  ask(command: PeerCommand): Promise<PeerReply> {
    this.#process.child.send(command);
    return this.next();
  }

  next(): Promise<PeerReply> {
    const reply = this.#replies.shift();
    if (reply !== undefined) return Promise.resolve(reply);
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  async end(): Promise<void> {
    const { child } = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.send({ type: 'end' } satisfies PeerCommand);
    await ended;
  }
}

function expected<Type extends PeerReply['type']>(reply: PeerReply, type: Type): Extract<PeerReply, { type: Type }> {
  if (reply.type === type) return reply as Extract<PeerReply, { type: Type }>;
  throw new Error(reply.type === 'failed' ? reply.problem : `a measured process said ${reply.type}`);
}
