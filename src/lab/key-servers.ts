import { utf8 } from '../base/bytes.ts';
import type { Logger } from '../base/log.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { createGbaSubscribers } from '../kms/gba-subscribers.ts';
import { createZnClient } from '../kms/http/zn-client.ts';
import { systemClock } from '../node/system-clock.ts';
import { uaProtocolKms } from '../protocol/gba/index.ts';
import type { LabAuthenticationCentre } from './authentication-centre.ts';
import type { BsfSubscriber, BsfSubscribers, UbAnswer } from './bsf/bsf.ts';
import { startLabBsf, type LabBsf } from './bsf/start-bsf.ts';
import type { LabFaults } from './faults.ts';
import { startLabKms, type LabKms } from './kms.ts';
import type { LabState } from './state.ts';
import type { LabUser } from './users.ts';
import type { WireRecorder } from './wire-recorder.ts';

export interface KeyServersOptions {
  readonly domain: string;
  readonly users: ReadonlyMap<string, LabUser>;
  readonly centre: LabAuthenticationCentre;
  readonly caPem: string;
  readonly certificates: LabState['certificates'];
  /** Where the KMS keeps what has to outlive the process; in memory without. */
  readonly stateDirectory?: string;
  readonly faults: LabFaults;
  readonly recorder: WireRecorder;
  readonly log: Logger;
  /** 0 for free ones. */
  readonly ports: { readonly kms: number; readonly bsf: number };
  readonly withBsf: boolean;
}

/** Where UEs get keys. */
export interface KeyServers {
  readonly kms: LabKms;
  readonly bsf: LabBsf | undefined;
  stop(): Promise<void>;
}

/** KMS and BSF. The KMS knows each lab user by a key of its own and, where there is a BSF, as its NAF by bootstrapping. */
export async function startKeyServers(options: KeyServersOptions): Promise<KeyServers> {
  const { domain, users, caPem, certificates, faults, recorder, log, ports, withBsf, stateDirectory } = options;
  const name = `kms.${domain}`;
  const certificate = certificates.kms;
  const bsf = withBsf ? await startBsf(options) : undefined;
  try {
    const subscribers =
      bsf &&
      createGbaSubscribers({
        source: createZnClient({
          server: { url: bsf.znUrl, serverName: bsf.name, trustedCa: caPem },
          bsfDomain: bsf.name,
          nafFqdn: name,
          uaProtocolId: uaProtocolKms,
          certificate: { identity: certificate },
        }),
        clock: systemClock,
        log,
      });
    const sources = subscribers === undefined ? [] : [subscribers];
    const kms = await startLabKms({
      users,
      sources,
      faults,
      recorder,
      log,
      port: ports.kms,
      name,
      ...certificate,
      ...(stateDirectory === undefined ? {} : { stateDirectory }),
    });
    return {
      kms,
      bsf,
      async stop() {
        await Promise.all([kms.stop(), bsf?.stop()]);
      },
    };
  } catch (error) {
    await bsf?.stop();
    throw error;
  }
}

async function startBsf(options: KeyServersOptions) {
  const { domain, users, centre, caPem, certificates, faults, recorder, log, ports } = options;
  const name = `bsf.${domain}`;
  return startLabBsf({
    name,
    domain,
    subscribers: subscribersOf(users, centre),
    tls: certificates.bsf,
    nafAuthority: caPem,
    recorder,
    log,
    port: ports.bsf,
    rewrite: (answer) => (faults.bsfForgedProof === true ? forged(answer) : answer),
  });
}

/** Registrar and BSF take the vectors of a user from one place, as the user's SIM counts them in one. */
function subscribersOf(users: ReadonlyMap<string, LabUser>, centre: LabAuthenticationCentre): BsfSubscribers {
  const subscribers = new Map<string, BsfSubscriber>(
    [...users.values()].map((user) => [
      user.privateIdentity,
      {
        identities: [user.identity],
        password: new SecretBytes(utf8(user.password)),
        createVector: () => centre.createVector(user),
        resynchronise: (rand, auts) => centre.resynchronise(user, rand, auts),
      },
    ]),
  );
  return { find: (privateIdentity) => subscribers.get(privateIdentity) };
}

/** As from a server that does not know what the subscriber and the network share. */
function forged({ headers, ...rest }: UbAnswer): UbAnswer {
  const { 'Authentication-Info': info, ...others } = headers;
  if (info === undefined) return { headers, ...rest };
  const rspauth = /rspauth="[^"]*"/;
  return {
    ...rest,
    headers: { ...others, 'Authentication-Info': info.replace(rspauth, `rspauth="${'0'.repeat(32)}"`) },
  };
}
