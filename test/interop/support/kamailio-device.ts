import type { SipProtocol } from '../../../src/protocol/sip/sip-protocol.ts';
import { kamailioDomain, type AccessPorts, type KamailioNetwork } from './kamailio-network.ts';

/** Kamailio serves WebSockets at its TCP and TLS ports. */
const portNames = { udp: 'udp', tcp: 'tcp', ws: 'tcp', tls: 'tls', wss: 'tls' } as const;

/** Where a UE connects; `serverName` is what the certificate proves. */
export function accessServer(ports: AccessPorts, transport: SipProtocol) {
  return { host: '127.0.0.1', port: ports[portNames[transport]], transport, serverName: kamailioDomain };
}

export const addressOf = (user: string): string => `sip:${user}@${kamailioDomain}`;

/** Configuration of a UE of a user of this network (docs/ue-rpc.md), at its first access. */
export function kamailioUe(
  network: KamailioNetwork,
  [user, password]: readonly [user: string, password: string],
  { transport = 'tls', ...more }: { readonly transport?: SipProtocol } & Readonly<Record<string, unknown>> = {},
): object {
  return {
    identity: addressOf(user),
    privateIdentity: user,
    domain: kamailioDomain,
    password,
    server: accessServer(network.access[0]!, transport),
    ca: network.caPem,
    policy: 'any',
    ...more,
  };
}
