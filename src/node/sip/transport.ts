import { secureRandom } from '../../crypto/random.ts';
import type { ServerPins, SipConnection, SipHop, SipTarget, SipTransport } from '../../engine/ports.ts';
import { serverNameOf } from '../../engine/server-trust.ts';
import { locateServer, type ServerPlace, type SipDns } from '../../protocol/sip/locate.ts';
import { isTlsProtocol } from '../../protocol/sip/sip-protocol.ts';
import { connectDatagrams } from './datagram-connection.ts';
import { sipConnectionLimits as limits } from './limits.ts';
import { createNodeDns } from './node-dns.ts';
import { openStream } from './open-stream.ts';
import { ServerProver } from './server-prover.ts';
import { StreamConnection } from './stream-connection.ts';
import { connectWebSocket } from './web-socket-connection.ts';

export interface NodeSipTransportOptions {
  readonly dns?: SipDns;
  /** Without it a target with `trust: 'pin-on-first-use'` is refused. */
  readonly pins?: ServerPins;
  /** Connection, TLS handshake and WebSocket handshake, each. */
  readonly connectTimeoutMilliseconds?: number;
}

/** SIP over UDP, TCP, TLS and WebSocket from Node's sockets. There is no way to skip the check of a server's certificate. */
export function createNodeSipTransport({
  dns = createNodeDns(),
  pins,
  connectTimeoutMilliseconds = limits.connectMilliseconds,
}: NodeSipTransportOptions = {}): SipTransport {
  const prover = new ServerProver(pins);
  return {
    locate: async (target) => {
      const places = await locateServer(target, dns, secureRandom);
      return places.map((place) => hopTo(place, target));
    },
    connect: (hop) => connect(hop, prover, connectTimeoutMilliseconds),
  };
}

function hopTo(place: ServerPlace, target: SipTarget): SipHop {
  const { trust = 'system-or-ca', trustedCa, clientCertificate } = target;
  const isWebSocket = place.protocol === 'ws' || place.protocol === 'wss';
  const security = {
    serverName: serverNameOf(target),
    trust,
    ...(trustedCa === undefined ? {} : { trustedCa }),
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
  };
  return {
    ...place,
    ...(isTlsProtocol(place.protocol) ? { security } : {}),
    ...(isWebSocket ? { webSocketPath: target.webSocketPath ?? '/' } : {}),
  };
}

async function connect(hop: SipHop, prover: ServerProver, timeoutMilliseconds: number): Promise<SipConnection> {
  switch (hop.protocol) {
    case 'udp':
      return connectDatagrams(hop);
    case 'tcp':
    case 'tls':
      return new StreamConnection(await openStream(hop, prover, timeoutMilliseconds), hop);
    case 'ws':
    case 'wss':
      return connectWebSocket(await openStream(hop, prover, timeoutMilliseconds), hop, timeoutMilliseconds);
  }
}
