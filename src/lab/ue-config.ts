import { toHex } from '../base/bytes.ts';
import type { Policy } from '../base/protection-level.ts';
import type { LabUser } from './users.ts';

/** The configuration file of `npm run ue -- --config FILE` for one user of this lab (docs/ue-rpc.md). */
export interface LabUeConfig {
  identity: string;
  privateIdentity: string;
  displayName?: string;
  domain: string;
  password?: string;
  authentication?: { mode: 'digest' } | { mode: 'aka'; k: string; opc: string; amf?: string };
  server: { host: string; port: number; transport: 'tls' | 'tcp'; serverName?: string };
  ca?: string;
  kms?: {
    url: string;
    identity: string;
    pskId: string;
    psk: string;
    suite?: '256' | '128';
    bodyEncoding?: 'base64' | 'binary';
  };
  policy?: Policy;
  contacts?: Record<string, { policy: Policy }>;
  e2aeInferFromRegistration?: boolean;
  mediasecOptionTag?: boolean;
}

export interface UeConfigOverrides extends Partial<LabUeConfig> {
  /** `tcp` for a UE without protection on its access leg; `tls` unless said. */
  readonly transport?: 'tls' | 'tcp';
  /** A UE that knows no key management server. */
  readonly withoutKms?: boolean;
}

export interface UeConfigFacts {
  readonly domain: string;
  readonly caPem: string;
  readonly sip: Readonly<Record<'tls' | 'tcp', { readonly host: string; readonly port: number }>>;
  readonly kms: { readonly url: string; readonly identity: string };
}

/** Holds the user's secrets in clear: for a file that only its owner can read, or for a process of the same test. */
export function createUeConfig(user: LabUser, facts: UeConfigFacts, overrides: UeConfigOverrides = {}): LabUeConfig {
  const { transport = 'tls', withoutKms = false, ...changes } = overrides;
  return {
    identity: user.identity,
    privateIdentity: user.privateIdentity,
    displayName: user.name.charAt(0).toUpperCase() + user.name.slice(1),
    domain: facts.domain,
    ...(user.authentication === 'digest'
      ? { password: user.password }
      : { authentication: { mode: 'aka', k: user.sim.k.use(toHex), opc: user.sim.opc.use(toHex) } }),
    server: { ...facts.sip[transport], transport, serverName: facts.domain },
    ca: facts.caPem,
    ...(withoutKms ? {} : { kms: { ...facts.kms, pskId: user.pskId, psk: user.psk.use(toHex) } }),
    ...changes,
  };
}
