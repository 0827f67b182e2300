import type { SipProtocol } from '../../engine/ports.ts';
import type { LoopbackAddress } from '../loopback.ts';

export type LabTransport = SipProtocol;

/** Where one edge listens. `udp` and `tcp` share their port, so that a UE can leave UDP for a long message (RFC 3261 18.1.1). */
export type EdgeAddresses = Readonly<Record<LabTransport, LoopbackAddress>>;

/** One end of a flow as the other end of it sees it. */
interface FlowEnd {
  readonly transport: LabTransport;
  readonly local: LoopbackAddress;
}

/** True where TLS protects the octets. */
export function isSecure(transport: LabTransport): boolean {
  return transport === 'tls' || transport === 'wss';
}

/** Address of the edge on that flow, as URI; RFC 7118 5.2 has one URI parameter for both kinds of WebSocket. */
export function edgeUri({ transport, local }: FlowEnd, parameters = '', user?: string): string {
  const name = transport === 'wss' ? 'ws' : transport;
  const person = user === undefined ? '' : `${user}@`;
  return `sip:${person}${local.host}:${local.port};transport=${name}${parameters}`;
}

/** The edge's Via on a request that leaves over that flow. */
export function edgeVia({ transport, local }: FlowEnd, branch: string): string {
  return `SIP/2.0/${transport.toUpperCase()} ${local.host}:${local.port};branch=${branch}`;
}
