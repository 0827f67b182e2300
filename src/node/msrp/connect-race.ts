import { lookup as lookupName } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import type { CancelTimer, Clock } from '../../base/clock.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import type { SocketAddress } from '../../engine/ports.ts';

/** All addresses of a name, the preferred first. */
export type ResolveName = (name: string) => Promise<readonly string[]>;

export const resolveName: ResolveName = async (name) =>
  (await lookupName(name, { all: true, order: 'verbatim' })).map(({ address }) => address);

/** RFC 8305 section 5: the recommended Connection Attempt Delay. */
const attemptDelayMilliseconds = 250;
const maxAddresses = 8;
/** From the last octet to the first question of the kernel whether the other side is still there. */
export const tcpKeepAliveMilliseconds = 60_000;

export interface ConnectOptions {
  readonly clock: Clock;
  readonly resolve: ResolveName;
  readonly signal: AbortSignal;
}

/**
 * Connects to the first address of `host` that answers: attempts begin one after the other, a little apart or as soon
 * as one has failed, and the first connection wins (RFC 8305). Nothing else stays open.
 * @throws ProtocolError field `msrp.connect`.
 */
export async function connectToFirst({ host, port }: SocketAddress, options: ConnectOptions): Promise<Socket> {
  const { clock, resolve, signal } = options;
  const addresses = isIP(host) === 0 ? await named(host, resolve) : [host];
  const open = new Set<Socket>();
  let cancelDelay: CancelTimer = () => undefined;
  try {
    return await new Promise<Socket>((succeed, fail) => {
      const waiting = [...addresses];
      let lastProblem: Error = new Error('no address');
      const abort = (): void => fail(unreachable(new Error('given up')));
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
      const next = (): void => {
        cancelDelay();
        const address = waiting.shift();
        if (address === undefined || signal.aborted) return;
        const socket = connect({
          host: address,
          port,
          noDelay: true,
          keepAlive: true,
          keepAliveInitialDelay: tcpKeepAliveMilliseconds,
        });
        open.add(socket);
        let isDone = false;
        const failed = (error: Error): void => {
          if (isDone) return;
          isDone = true;
          lastProblem = error;
          open.delete(socket);
          if (waiting.length > 0) next();
          else if (open.size === 0) fail(unreachable(lastProblem));
        };
        socket.on('error', failed).once('close', () => failed(new Error('closed')));
        socket.once('connect', () => {
          isDone = true;
          open.delete(socket);
          signal.removeEventListener('abort', abort);
          succeed(socket);
        });
        if (waiting.length > 0) cancelDelay = clock.after(attemptDelayMilliseconds, next);
      };
      next();
    });
  } finally {
    cancelDelay();
    for (const socket of open) socket.destroy();
  }
}

async function named(host: string, resolve: ResolveName): Promise<readonly string[]> {
  try {
    return alternating(await resolve(host)).slice(0, maxAddresses);
  } catch (error) {
    throw unreachable(error);
  }
}

/** RFC 8305 section 4: the families in turn, beginning with that of the preferred address. */
function alternating(addresses: readonly string[]): readonly string[] {
  const first = addresses.filter((address) => isIP(address) === isIP(addresses[0] ?? ''));
  const second = addresses.filter((address) => isIP(address) !== isIP(addresses[0] ?? ''));
  return Array.from({ length: Math.max(first.length, second.length) }, (_, at) => [first[at], second[at]])
    .flat()
    .filter((address) => address !== undefined);
}

function unreachable(cause: unknown): ProtocolError {
  return new ProtocolError('peer-misbehaved', `cannot connect: ${describeError(cause)}`, {
    field: 'msrp.connect',
    expected: 'a listening peer',
    cause,
  });
}
