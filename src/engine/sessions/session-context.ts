import type { RelayClient } from '../msrp/relay-client.ts';
import type { DeviceCertificate, EnginePorts } from '../ports.ts';
import type { FlowFacts, SipUserAgent } from '../sip/index.ts';
import type { StreamCircumstances } from './session-decision.ts';
import type { SessionKeys } from './session-keys.ts';

/** What setting up a session needs of its account. */
export interface SessionContext {
  readonly ports: EnginePorts;
  readonly userAgent: SipUserAgent;
  readonly keys: SessionKeys;
  /** Made once per device, when first needed. */
  readonly certificate: () => Promise<DeviceCertificate>;
  /** The account setting `e2aeInferFromRegistration`. */
  readonly inferFromRegistration: boolean;
  /** The MSRP relay of the account, where it has one. */
  readonly relay?: RelayClient;
  /** PEM certificates that may sign the relay of a far end, instead of the system's. */
  readonly relayTrust?: string;
}

/** Profile 1.8 and 2.4: fingerprints and indications count only over protected signalling with the agreement done. @param flow that they came or leave over. */
export function networkFacts(
  context: SessionContext,
  flow: FlowFacts | undefined,
): Pick<StreamCircumstances, 'signallingProtected' | 'e2aeAllowed' | 'inferFromRegistration'> {
  const agreement = flow?.tls === undefined ? undefined : flow.securityAgreement;
  return {
    signallingProtected: agreement?.tls === true,
    e2aeAllowed: agreement?.msrpTls === true,
    inferFromRegistration: context.inferFromRegistration,
  };
}
