import { connect, type TLSSocket } from 'node:tls';
import { performance } from 'node:perf_hooks';

/** An HTTP/1.1 POST, ready to be written. Made before the clock runs, so that the load costs the client little. */
export function postRequest(path: string, contentType: string, body: string): Buffer {
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: bench\r\nContent-Type: ${contentType}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    'latin1',
  );
}

export interface HttpReply {
  readonly status: number;
  readonly body: string;
}

function openTls(url: string, ca: string): Promise<TLSSocket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), ca, checkServerIdentity: () => undefined });
    socket.setNoDelay(true);
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** One kept connection, one question at a time; opened anew where the server says that it closes it. */
export class RawHttpsConnection {
  readonly #open: () => Promise<TLSSocket>;
  #socket: TLSSocket;
  #isEnding = false;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { readonly resolve: (reply: HttpReply) => void; readonly reject: (error: Error) => void } | undefined;

  private constructor(socket: TLSSocket, open: () => Promise<TLSSocket>) {
    this.#open = open;
    this.#socket = socket;
    this.#listen(socket);
  }

  static async open(url: string, ca: string): Promise<RawHttpsConnection> {
    const open = (): Promise<TLSSocket> => openTls(url, ca);
    return new RawHttpsConnection(await open(), open);
  }

  #listen(socket: TLSSocket): void {
    const failed = (error: Error): void => {
      if (socket === this.#socket) this.#waiting?.reject(error);
    };
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('close', () => failed(new Error('the server closed the connection')));
    socket.on('error', failed);
  }

  async ask(request: Buffer): Promise<HttpReply> {
    if (this.#isEnding) {
      this.#socket.destroy();
      this.#socket = await this.#open();
      this.#received = Buffer.alloc(0);
      this.#isEnding = false;
      this.#listen(this.#socket);
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = this.#received.toString('latin1', 0, headEnd);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    const end = headEnd + 4 + length;
    if (this.#received.length < end) return;
    const body = this.#received.toString('latin1', headEnd + 4, end);
    this.#received = this.#received.subarray(end);
    this.#isEnding = /^connection: close/im.test(head);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}

export interface LoadFigures {
  readonly perSecond: number;
  readonly answered: number;
  readonly milliseconds: number;
}

/** As fast as the server answers: each of `connections` asks the next question when it has its answer. */
export async function closedLoop(
  connections: readonly RawHttpsConnection[],
  questions: readonly Buffer[],
): Promise<LoadFigures> {
  let next = 0;
  const start = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      for (let question = questions[next++]; question !== undefined; question = questions[next++]) {
        requireAnswer(await connection.ask(question));
      }
    }),
  );
  const milliseconds = performance.now() - start;
  return { perSecond: (questions.length * 1000) / milliseconds, answered: questions.length, milliseconds };
}

/** Questions at a fixed rate, whatever the server does; a latency runs from when the question was due. */
export async function openLoop(
  connections: readonly RawHttpsConnection[],
  questions: readonly Buffer[],
  perSecond: number,
): Promise<{ readonly p50: number; readonly p99: number }> {
  const free = [...connections];
  const waiting: ((connection: RawHttpsConnection) => void)[] = [];
  const latencies: number[] = [];
  const start = performance.now();
  const take = (): Promise<RawHttpsConnection> => {
    const connection = free.pop();
    return connection === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(connection);
  };
  const release = (connection: RawHttpsConnection): void => {
    const next = waiting.shift();
    if (next === undefined) free.push(connection);
    else next(connection);
  };
  await Promise.all(
    questions.map(async (question, index) => {
      const due = start + (index * 1000) / perSecond;
      const wait = due - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      const connection = await take();
      requireAnswer(await connection.ask(question));
      latencies.push(performance.now() - due);
      release(connection);
    }),
  );
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

function requireAnswer({ status }: HttpReply): void {
  if (status !== 200) throw new Error(`the server answered ${status}`);
}
