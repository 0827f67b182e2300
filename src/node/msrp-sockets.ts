import { connect as connectTcp, type Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { describeError, ProtocolError } from '../base/errors.ts';
import type { MsrpConnection, MsrpSecurity, MsrpSockets, SocketAddress } from '../engine/ports.ts';
import { NodeMsrpConnection } from './msrp/connection.ts';
import { findRelay } from './msrp/find-relay.ts';
import { secure } from './msrp/handshake.ts';
import { listenForMsrp } from './msrp/listener.ts';
import { lookUp } from './msrp/look-up.ts';
import { probePskCiphers } from './msrp/psk-probe.ts';
import { systemClock } from './system-clock.ts';

export interface NodeMsrpSocketsOptions {
  /** Address on which listeners are opened. Default `127.0.0.1`. */
  readonly host?: string;
  readonly clock?: Clock;
}

/** MSRP over TCP and TLS of this platform. Probes the TLS library first: `canDoPskTls` says what it really does. */
export async function createNodeMsrpSockets(options: NodeMsrpSocketsOptions = {}): Promise<MsrpSockets> {
  const { host = '127.0.0.1', clock = systemClock } = options;
  const pskCiphers = await probePskCiphers();
  return {
    canDoPskTls: pskCiphers !== undefined,
    listen: () => listenForMsrp({ host, clock, pskCiphers }),
    connect: (address, security, timeoutMilliseconds) =>
      connect(address, security, timeoutMilliseconds, { clock, pskCiphers }),
    findRelay: (name) => findRelay(name),
    lookUp,
  };
}

async function connect(
  address: SocketAddress,
  security: MsrpSecurity,
  timeoutMilliseconds: number,
  { clock, pskCiphers }: { readonly clock: Clock; readonly pskCiphers: string | undefined },
): Promise<MsrpConnection> {
  const raw = connectTcp({ host: address.host, port: address.port, noDelay: true });
  let cancelTimeout = (): void => undefined;
  const timeout = new Promise<never>((_, reject) => {
    cancelTimeout = clock.after(timeoutMilliseconds, () => {
      reject(
        new ProtocolError('expired', `no connection within ${timeoutMilliseconds} ms`, {
          field: 'msrp.connect',
          expected: 'an answer of the peer',
        }),
      );
      raw.destroy();
    });
  });
  try {
    return await Promise.race([timeout, establish(raw, security, pskCiphers, clock)]);
  } catch (error) {
    raw.destroy();
    throw error;
  } finally {
    cancelTimeout();
  }
}

async function establish(
  raw: Socket,
  security: MsrpSecurity,
  pskCiphers: string | undefined,
  clock: Clock,
): Promise<MsrpConnection> {
  await connected(raw);
  if (security.mode === 'plain') return new NodeMsrpConnection(raw, 'plain', undefined, clock);
  const { socket, tls } = await secure(raw, 'client', security, pskCiphers);
  return new NodeMsrpConnection(socket, security.mode, tls, clock);
}

function connected(raw: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause?: Error): void => {
      reject(
        new ProtocolError('peer-misbehaved', `cannot connect: ${describeError(cause ?? 'closed')}`, {
          field: 'msrp.connect',
          expected: 'a listening peer',
          ...(cause === undefined ? {} : { cause }),
        }),
      );
    };
    const closed = (): void => fail();
    raw.on('error', fail).once('close', closed);
    raw.once('connect', () => {
      raw.off('close', closed);
      resolve();
    });
  });
}
