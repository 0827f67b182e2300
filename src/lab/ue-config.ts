import type { MessagesConfig, ReceiptsConfig } from '../engine/account-config.ts';
import { toHex } from '../base/bytes.ts';
import type { Policy } from '../base/protection-level.ts';
import type { SipProtocol } from '../protocol/sip/sip-protocol.ts';
import type { LabUser } from './users.ts';

/** The configuration file of `npm run ue -- --config FILE` for one user of this lab (docs/ue-rpc.md). */
export interface LabUeConfig {
  identity: string;
  privateIdentity: string;
  displayName?: string;
  domain: string;
  password?: string;
  sim?: { k: string; opc: string };
  authentication?: { mode: 'digest' } | { mode: 'aka'; k: string; opc: string; amf?: string };
  server: {
    host?: string;
    port?: number;
    transport?: SipProtocol;
    security?: 'tls-only' | 'any';
    serverName?: string;
    trust?: 'system-or-ca' | 'pin-on-first-use';
    webSocketPath?: string;
    clientCertificate?: { certificateFile: string; privateKeyFile?: string; passphrase?: string };
  };
  secondServer?: Omit<LabUeConfig['server'], 'clientCertificate'>;
  preferredIdentity?: string;
  accessNetworkInfo?: string;
  /** Milliseconds. */
  flowRecovery?: { allFailed: number; someFailed: number; longest: number };
  ca?: string;
  kms?: {
    url: string;
    serverName?: string;
    identity: string;
    pskId?: string;
    psk?: string;
    credential?: { mode: 'static-psk' } | { mode: 'gba-aka' | 'gba-digest'; bsfUrl: string; bsfServerName?: string };
    suite?: '256' | '128';
    bodyEncoding?: 'base64' | 'binary';
  };
  policy?: Policy;
  stateDirectory?: string;
  statePassphrase?: string;
  files?: { maxOctets?: number; refusedTypes?: string[]; autoAccept?: 'never' | 'contacts' };
  receivedFolder?: string;
  contacts?: Record<string, { policy: Policy }>;
  messages?: { maxOctets?: number; syncSent?: boolean; listService?: string; resend?: 'contacts' | 'never' };
  e2aeInferFromRegistration?: boolean;
  mediasecOptionTag?: boolean;
}

/** How the UE comes to the key that it shares with the KMS. */
export const labCredentialModes = ['static-psk', 'gba-aka', 'gba-digest'] as const;
export type LabCredentialMode = (typeof labCredentialModes)[number];

export function credentialModeNamed(text: string): LabCredentialMode | undefined {
  return labCredentialModes.find((mode) => mode === text);
}

export interface UeConfigOverrides extends Partial<Omit<LabUeConfig, 'kms'>> {
  /** The credential mode alone, or all of it; `static-psk` unless said. */
  readonly kms?: LabCredentialMode | LabUeConfig['kms'];
  /** `udp`, `tcp` or `ws` for a UE without protection on its access leg; `tls` unless said. */
  readonly transport?: SipProtocol;
  /** A UE that knows no key management server. */
  readonly withoutKms?: boolean;
  readonly messages?: MessagesConfig;
  readonly receipts?: ReceiptsConfig;
}

export interface UeConfigFacts {
  readonly domain: string;
  readonly caPem: string;
  readonly sip: Readonly<Partial<Record<SipProtocol, { readonly host: string; readonly port: number }>>>;
  readonly kms: KmsFacts;
  readonly bsf: { readonly url: string; readonly name: string } | undefined;
}

export interface KmsFacts {
  readonly url: string;
  readonly identity: string;
  /** What its certificate proves. */
  readonly serverName: string;
}

/** Holds the user's secrets in clear: for a file that only its owner can read, or for a process of the same test. */
export function createUeConfig(user: LabUser, facts: UeConfigFacts, overrides: UeConfigOverrides = {}): LabUeConfig {
  const { transport = 'tls', withoutKms = false, kms = 'static-psk', ...changes } = overrides;
  const place = facts.sip[transport];
  if (place === undefined) throw new RangeError(`this lab has no ${transport}`);
  return {
    identity: user.identity,
    privateIdentity: user.privateIdentity,
    displayName: user.name.charAt(0).toUpperCase() + user.name.slice(1),
    domain: facts.domain,
    ...(user.authentication === 'digest'
      ? { password: user.password }
      : { authentication: { mode: 'aka', k: user.sim.k.use(toHex), opc: user.sim.opc.use(toHex) } }),
    server: { host: place.host, port: place.port, transport, serverName: facts.domain },
    ca: facts.caPem,
    ...(withoutKms ? {} : typeof kms === 'string' ? keyFields(user, facts, kms) : { kms }),
    ...changes,
  };
}

function keyFields(
  user: LabUser,
  { kms, bsf }: UeConfigFacts,
  mode: LabCredentialMode,
): Pick<LabUeConfig, 'kms' | 'sim' | 'password'> {
  const { url, identity, serverName } = kms;
  if (mode === 'static-psk') return { kms: { url, identity, pskId: user.pskId, psk: user.psk.use(toHex) } };
  if (bsf === undefined) throw new RangeError('this lab has no bootstrapping server');
  const credential = { mode, bsfUrl: bsf.url, bsfServerName: bsf.name };
  const hasSim = user.authentication === 'aka';
  return {
    kms: { url, serverName, identity, credential },
    ...(mode === 'gba-aka' && !hasSim ? { sim: { k: user.sim.k.use(toHex), opc: user.sim.opc.use(toHex) } } : {}),
    ...(mode === 'gba-digest' && hasSim ? { password: user.password } : {}),
  };
}
