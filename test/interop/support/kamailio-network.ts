import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCertificateAuthority } from '../../../src/crypto/certificate-authority.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import {
  edgeConfiguration,
  homeConfiguration,
  kamailioDomain,
  type AccessPorts,
  type KamailioNetworkOptions,
} from './kamailio-configuration.ts';
import { startKamailio, type KamailioProcess } from './kamailio-process.ts';
import { freePort } from './peer-process.ts';

export { kamailioDomain, kamailioNetworkModules } from './kamailio-configuration.ts';
export type { AccessPorts, KamailioNetworkOptions } from './kamailio-configuration.ts';

export interface KamailioNetwork {
  readonly caPem: string;
  /** Where UEs connect: the edges, or the registrar when there are none. */
  readonly access: readonly AccessPorts[];
  /** What all its programs have logged. */
  output(): string;
  stopEdge(index: number): Promise<void>;
  startEdge(index: number): Promise<void>;
  stop(): Promise<void>;
}

/** Kamailio as registrar and proxy of `ims.test` on loopback, over UDP, TCP, TLS, WS and WSS. */
export async function startKamailioNetwork(options: KamailioNetworkOptions): Promise<KamailioNetwork> {
  const folder = temporaryFolder('kamailio-network');
  const file = (name: string): string => join(folder, name);
  const authority = await createCertificateAuthority({ commonName: 'network test', now: Date.now() });
  const leaf = await authority.issue({ dnsNames: [kamailioDomain, 'localhost'], ipAddresses: ['127.0.0.1'] });
  writeFileSync(file('certificate.pem'), leaf.certificatePem);
  writeFileSync(file('key.pem'), leaf.privateKeyPem, { mode: 0o600 });
  const home = await start(folder, 'home.cfg', options.within, (ports) => homeConfiguration(ports, file, options));
  const edges: (Started | undefined)[] = [];
  for (let index = 0; index < (options.edges ?? 0); index++) {
    const name = `edge-${index}.cfg`;
    edges.push(await start(folder, name, options.within, (ports) => edgeConfiguration(ports, file, home.ports.udp)));
  }
  const access = edges.length === 0 ? [home.ports] : edges.flatMap((edge) => (edge === undefined ? [] : [edge.ports]));
  let past = '';
  const stopEdge = async (index: number): Promise<void> => {
    const edge = edges[index];
    edges[index] = undefined;
    await edge?.process.stop();
    past += edge?.process.output() ?? '';
  };
  return {
    caPem: authority.certificatePem,
    access,
    output: () => [past, home.process.output(), ...edges.map((edge) => edge?.process.output() ?? '')].join('\n'),
    stopEdge,
    startEdge: async (index) => {
      const ports = access[index];
      if (ports === undefined || edges[index] !== undefined) throw new Error('no such edge, or it runs');
      const process = await startKamailio({
        folder,
        configuration: file(`edge-${index}.cfg`),
        port: ports.tcp,
        within: options.within ?? [],
      });
      if (process === undefined) throw new Error('the edge does not start again');
      edges[index] = { ports, process };
    },
    stop: async () => {
      for (const index of edges.keys()) await stopEdge(index);
      await home.process.stop();
    },
  };
}

interface Started {
  readonly ports: AccessPorts;
  readonly process: KamailioProcess;
}

/** Kamailio cannot choose a port itself: another program may take the one that was free a moment ago. */
async function start(
  folder: string,
  name: string,
  within: readonly string[] = [],
  configuration: (ports: AccessPorts) => string,
): Promise<Started> {
  const path = join(folder, name);
  for (let attempt = 1; attempt <= 3; attempt++) {
    const tcp = await freePort();
    const ports = { udp: tcp, tcp, tls: await freePort() };
    writeFileSync(path, configuration(ports));
    const process = await startKamailio({ folder, configuration: path, port: tcp, within });
    if (process !== undefined) return { ports, process };
  }
  throw new Error('kamailio does not start');
}
