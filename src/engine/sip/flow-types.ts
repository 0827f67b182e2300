import type { SipProtocol, TlsFacts } from '../ports.ts';

/** Milliseconds (RFC 5626 clause 4.5). */
export interface FlowRecoveryTimes {
  /** Base time while no flow is left. */
  readonly allFailed: number;
  /** Base time while another flow works. */
  readonly someFailed: number;
  readonly longest: number;
}

export type RegistrationFailureCode =
  | 'authentication-failed'
  /** The network does not know the SIM's key, or did not show that it does; or it gave a wrong proof that it knows the password. */
  | 'network-not-authentic'
  /** AKA: its sequence numbers do not fit, also after one resynchronisation. */
  | 'sequence-out-of-step'
  /** AKA: sequence numbers cannot be read or kept on this device. */
  | 'sim-unusable'
  | 'refused'
  | 'security-agreement-failed'
  | 'extension-required'
  | 'timeout'
  | 'unreachable'
  | 'tls-failed'
  | 'connection-lost'
  | 'server-error'
  | 'invalid-answer'
  /** The network took the registration back (RFC 3680). */
  | 'deregistered'
  | 'stopped';

/** Why we do not accept the network, whatever it answers. */
export interface AuthenticationFailure {
  readonly code: 'authentication-failed' | 'network-not-authentic' | 'sequence-out-of-step' | 'sim-unusable';
  /** For people. */
  readonly explanation: string;
}

/** As in `ServerPinError`. */
export interface ChangedCertificate {
  readonly serverName: string;
  /** SHA-256 of the remembered one, or `authority` where a trusted authority certified the name before. */
  readonly pinned: string;
  readonly shown: string;
}

export type RegistrationState =
  | { readonly state: 'unregistered' }
  | { readonly state: 'registering' }
  | {
      readonly state: 'registered';
      /** Seconds from now for which the registrar keeps the binding; it is renewed before. */
      readonly expires: number;
      /** P-Associated-URI: the public identities that this registration serves; the first is the default one (TS 24.229 5.1.1.4). */
      readonly associatedIdentities: readonly string[];
    }
  | {
      readonly state: 'failed';
      readonly code: RegistrationFailureCode;
      readonly status?: number;
      /** For people: what happened. */
      readonly explanation: string;
      /** True when another attempt follows by itself. */
      readonly willRetry: boolean;
      /** The server shows another certificate than the remembered one: only the user can say that this is right. */
      readonly changedCertificate?: ChangedCertificate;
    };

/** What sec-agree settled (RFC 3329, profile 1); every entry as written on the wire. */
export interface SecurityAgreement {
  readonly client: readonly string[];
  readonly server: readonly string[];
  /** TLS is the agreed mechanism of the signalling plane. */
  readonly tls: boolean;
  /** Both sides announced `msrp-tls;mediasec`: e2ae may be asked for (profile 1.8). */
  readonly msrpTls: boolean;
}

/** The connection to the SIP server. */
export interface FlowFacts {
  readonly protocol: SipProtocol;
  readonly tls?: TlsFacts;
  /** Our own address on it. */
  readonly localAddress?: string;
  /** Present from the end of a registration in which the server stated its list, over TLS to a server that an authority proves. */
  readonly securityAgreement?: SecurityAgreement;
}

/** Another device that is registered under the same identity (RFC 3680). */
export interface OwnDevice {
  /** What it calls itself; its address where it says nothing. */
  readonly name: string;
  /** Where it is registered from. */
  readonly uri: string;
  /** Its `+sip.instance`, without brackets. */
  readonly instanceId?: string;
}

/** One of the ways over which an account can be reached (RFC 5626). */
export interface FlowStatus {
  /** 1 for the server of the account, 2 for the other one. */
  readonly regId: number;
  readonly registration: RegistrationState;
  /** Absent while there is no connection. */
  readonly flow?: FlowFacts;
}

/** The globally routable URIs of this device (RFC 5627). */
export interface Gruus {
  readonly public?: string;
  readonly temporary?: string;
}

/** Another device that is registered under the same identity (RFC 3680). */
export interface OwnDevice {
  /** What it calls itself; its address where it says nothing. */
  readonly name: string;
  /** Where it is registered from. */
  readonly uri: string;
  /** Its `+sip.instance`, without brackets. */
  readonly instanceId?: string;
}
