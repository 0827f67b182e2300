import { isIPv6, type Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { ProtocolError } from '../base/errors.ts';
import type { MsrpConnection, MsrpDialled, MsrpSecurity, MsrpSockets, SocketAddress } from '../engine/ports.ts';
import { connectToFirst, resolveName, type ResolveName } from './msrp/connect-race.ts';
import { NodeMsrpConnection } from './msrp/connection.ts';
import { findRelay } from './msrp/find-relay.ts';
import { secure } from './msrp/handshake.ts';
import { listenForMsrp, type PortRange } from './msrp/listener.ts';
import { lookUp } from './msrp/look-up.ts';
import { probePskCiphers } from './msrp/psk-probe.ts';
import { systemClock } from './system-clock.ts';

/** Where sessions are listened for, as the user set it. */
export interface MediaSettings {
  /** An address of this machine, instead of the one from which the SIP server is reached. */
  readonly address?: string;
  /** First and last port, instead of any that is free. */
  readonly portRange?: PortRange;
}

export interface NodeMsrpSocketsOptions {
  /** Address on which listeners are opened that are not asked for another. Default `127.0.0.1`. */
  readonly host?: string;
  readonly media?: MediaSettings;
  readonly clock?: Clock;
  readonly resolve?: ResolveName;
}

interface Circumstances {
  readonly clock: Clock;
  readonly pskCiphers: string | undefined;
  readonly resolve: ResolveName;
}

/** MSRP over TCP and TLS of this platform. Probes the TLS library first: `canDoPskTls` says what it really does. */
export async function createNodeMsrpSockets(options: NodeMsrpSocketsOptions = {}): Promise<MsrpSockets> {
  const { host = '127.0.0.1', media = {}, clock = systemClock, resolve = resolveName } = options;
  const pskCiphers = await probePskCiphers();
  const circumstances = { clock, pskCiphers, resolve };
  return {
    canDoPskTls: pskCiphers !== undefined,
    listen: (address) =>
      listenForMsrp({
        host: media.address ?? plainAddress(address ?? host),
        clock,
        pskCiphers,
        ...(media.portRange === undefined ? {} : { portRange: media.portRange }),
      }),
    dial: (address, timeoutMilliseconds) => dial(address, timeoutMilliseconds, circumstances),
    connect: (address, security, timeoutMilliseconds) => connect(address, security, timeoutMilliseconds, circumstances),
    findRelay: (name) => findRelay(name),
    lookUp,
  };
}

/** A socket of both families names an IPv4 address as IPv6 (RFC 4291 section 2.5.5.2); peers are told the address itself. */
function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  // A zone means nothing to anybody else.
  return isIPv6(address) ? address.replace(/%.*$/, '') : address;
}

async function dial(
  address: SocketAddress,
  timeoutMilliseconds: number,
  circumstances: Circumstances,
): Promise<MsrpDialled> {
  const raw = await within(timeoutMilliseconds, circumstances.clock, (signal) =>
    connectToFirst(address, { ...circumstances, signal }),
  );
  raw.on('error', () => undefined);
  return {
    secure: async (security, milliseconds) => {
      try {
        return await within(milliseconds, circumstances.clock, () => establish(raw, security, circumstances));
      } catch (error) {
        raw.destroy();
        throw error;
      }
    },
    close: () => raw.destroy(),
  };
}

async function connect(
  address: SocketAddress,
  security: MsrpSecurity,
  timeoutMilliseconds: number,
  circumstances: Circumstances,
): Promise<MsrpConnection> {
  let raw: Socket | undefined;
  try {
    return await within(timeoutMilliseconds, circumstances.clock, async (signal) => {
      raw = await connectToFirst(address, { ...circumstances, signal });
      return establish(raw, security, circumstances);
    });
  } catch (error) {
    raw?.destroy();
    throw error;
  }
}

function within<T>(milliseconds: number, clock: Clock, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const cancel = clock.after(milliseconds, () => {
      reject(
        new ProtocolError('expired', `no connection within ${milliseconds} ms`, {
          field: 'msrp.connect',
          expected: 'an answer of the peer',
        }),
      );
      controller.abort();
    });
    work(controller.signal).then(resolve, reject).finally(cancel);
  });
}

async function establish(
  raw: Socket,
  security: MsrpSecurity,
  { pskCiphers, clock }: Circumstances,
): Promise<MsrpConnection> {
  if (raw.destroyed) {
    throw new ProtocolError('peer-misbehaved', 'the connection was closed', {
      field: 'msrp.connect',
      expected: 'an open connection',
    });
  }
  if (security.mode === 'plain') return new NodeMsrpConnection(raw, 'plain', undefined, clock);
  const { socket, tls } = await secure(raw, 'client', security, pskCiphers);
  return new NodeMsrpConnection(socket, security.mode, tls, clock);
}
