import { connect, createServer, type Server, type Socket } from 'node:net';
import { listenOnLastingPort, closeServer } from '../../src/lab/loopback.ts';

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/** What waits on a link to be passed on, in order. */
interface Delivery {
  readonly at: number;
  readonly deliver: () => void;
}

/** One piece of network between a UE and a server: passes connections on, and stalls, delays and resets them on demand. */
export class Link {
  readonly port: number;
  readonly #server: Server;
  readonly #target: () => { readonly host: string; readonly port: number };
  readonly #pairs = new Set<Pair>();
  #refusesUntil = 0;
  #stallsUntil = 0;
  #slow = { until: 0, delay: 0 };
  #isPeaceful = false;

  /** @param target asked for each connection */
  static async open(target: () => { readonly host: string; readonly port: number }): Promise<Link> {
    const server = createServer({ allowHalfOpen: true });
    const { port } = await listenOnLastingPort(server);
    return new Link(server, port, target);
  }

  private constructor(server: Server, port: number, target: () => { readonly host: string; readonly port: number }) {
    this.#server = server;
    this.port = port;
    this.#target = target;
    server.on('connection', (socket) => this.#accept(socket));
  }

  cut(): void {
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  refuse(milliseconds: number): void {
    this.#refusesUntil = Date.now() + milliseconds;
    this.cut();
  }

  stall(milliseconds: number): void {
    this.#stallsUntil = Math.max(this.#stallsUntil, Date.now() + milliseconds);
  }

  slow(milliseconds: number, delay: number): void {
    this.#slow = { until: Date.now() + milliseconds, delay };
  }

  /** Nothing is disturbed from now on; what was held back still comes in its time. */
  leaveInPeace(): void {
    this.#isPeaceful = true;
  }

  async close(): Promise<void> {
    const closed = closeServer(this.#server);
    this.cut();
    await closed;
  }

  #accept(near: Socket): void {
    near.on('error', () => undefined);
    if (!this.#isPeaceful && Date.now() < this.#refusesUntil) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ ...this.#target(), allowHalfOpen: true });
    far.on('error', () => near.resetAndDestroy());
    const pair = { near, far };
    this.#pairs.add(pair);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#pass(from, to);
      from.once('close', () => {
        this.#pairs.delete(pair);
        to.destroy();
      });
    }
  }

  /** One direction: octets keep their order, each piece no earlier than the network allows. */
  #pass(from: Socket, to: Socket): void {
    from.setNoDelay(true);
    const waiting: Delivery[] = [];
    let timer: NodeJS.Timeout | undefined;
    const run = (): void => {
      timer = undefined;
      while (waiting[0] !== undefined && waiting[0].at <= Date.now()) waiting.shift()?.deliver();
      const [next] = waiting;
      if (next !== undefined) timer = setTimeout(run, Math.max(1, next.at - Date.now()));
    };
    const schedule = (deliver: () => void): void => {
      const at = Math.max(this.#deliveryTime(), waiting.at(-1)?.at ?? 0);
      if (waiting.length === 0 && at <= Date.now()) deliver();
      else {
        waiting.push({ at, deliver });
        timer ??= setTimeout(run, Math.max(1, at - Date.now()));
      }
    };
    from.on('data', (bytes: Buffer) =>
      schedule(() => {
        if (to.writable) to.write(bytes);
      }),
    );
    from.on('end', () => schedule(() => to.end()));
    from.once('close', () => clearTimeout(timer));
  }

  #deliveryTime(): number {
    const now = Date.now();
    if (this.#isPeaceful) return now;
    const slowed = now < this.#slow.until ? now + this.#slow.delay : now;
    return Math.max(slowed, this.#stallsUntil);
  }
}
