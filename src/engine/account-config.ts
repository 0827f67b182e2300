import type { Policy } from '../base/protection-level.ts';
import type { SecretBytes } from '../base/secret-bytes.ts';
import type { MilenageKeys } from '../protocol/gba/index.ts';
import type { RealmCredential } from './sip/index.ts';
import type { BsfAddress, KmsAddress, SipTarget } from './ports.ts';
import type { FlowRecoveryTimes } from './sip/index.ts';

export type MikeySuite = '128' | '256';

/** How the account comes to the key that it shares with its KMS (profile 6.3); the secrets are in `AccountSecrets`. */
export type KmsCredentialConfig =
  /** A key that both were given by hand. */
  | {
      readonly mode: 'static-psk';
      /** Name of the key shared with the KMS (IDRpsk). */
      readonly pskId: string;
    }
  /** A key by bootstrapping: with the software SIM, or with the password of the account (GBA_Digest). */
  | { readonly mode: 'gba-aka' | 'gba-digest'; readonly bsf: BsfAddress }
  /** No shared key: a certificate of the account (RFC 6043, the public-key variants). */
  | {
      readonly mode: 'certificate';
      /** DER, the account's own first, each next one certifies the one before. */
      readonly certificates: readonly Uint8Array[];
      /** DER of the KMS's certificate, to whose key the envelope keys are enciphered. */
      readonly kmsCertificate: Uint8Array;
    };

export interface KmsConfig {
  readonly address: KmsAddress;
  /** The KMS as MIKEY names it (IDRkms), for example `sip:kms.example.org`. */
  readonly identity: string;
  readonly credential: KmsCredentialConfig;
  /** Algorithm set of the exchanges with the KMS and of the keys it makes (profile 3.4). */
  readonly suite: MikeySuite;
  /**
   * Makes tickets here instead of asking the KMS for them (RFC 6043 mode 3), under the key that the account shares with it; the KMS
   * must allow it. Default: no.
   */
  readonly ticketsMadeHere?: boolean;
}

/** How the account proves itself to the registrar; the secrets are in `AccountSecrets`. */
export type SipAuthenticationConfig =
  /** With a password (RFC 7616). */
  | { readonly mode: 'digest' }
  /** With a software SIM, to a network that proves itself too (RFC 3310). */
  | {
      readonly mode: 'aka';
      /** The only AMF (2 octets) that challenges may carry; any when absent. */
      readonly amf?: Uint8Array;
    };

/** What files an account takes. */
export interface FilesConfig {
  /** Octets of the largest file that is taken; 64 GiB when absent. */
  readonly maxOctets?: number;
  /** Media types that are refused, `video/mp4` or `video/*`: by what the sender says, which may be untrue. */
  readonly refusedTypes?: readonly string[];
  /** `contacts`: files of those for whom a policy is set are taken without a question. Default: never. */
  readonly autoAccept?: 'never' | 'contacts';
}

/** What an account tells its peers about their messages, and what it asks them to tell about its own (RFC 5438). */
export interface ReceiptsConfig {
  /** Tells that a message has arrived on this device, or could not be shown. Default: yes. */
  readonly delivery?: boolean;
  /** Tells that the user has seen it. Default: yes. */
  readonly display?: boolean;
  /** Asks to be told that a message arrived, or did not; of single messages. Default: yes. */
  readonly askDelivery?: boolean;
  /** Asks to be told that it was seen; of single messages. Default: yes. */
  readonly askDisplay?: boolean;
  /** Asks servers on the way to tell what they did with it. Default: no. */
  readonly askProcessing?: boolean;
  /** Answers a wish that these settings deny with `forbidden` instead of silence. Default: no. */
  readonly sayForbidden?: boolean;
}

/** Single messages of an account (SIP MESSAGE). */
export interface MessagesConfig {
  /** Octets of a message, all protection included, above which it goes in a session; the profile's 8 KiB when absent (5.5). */
  readonly maxOctets?: number;
  /** Makes what this device sends readable to the other devices of the account, where the network copies it to them. Default: no. */
  readonly syncSent?: boolean;
  /** URI of the network's list service (RFC 5365), for messages to groups; there are none without it. */
  readonly listService?: string;
  /** Who is sent a message again when their device says that it could not read it. Default: `contacts`. */
  readonly resend?: 'contacts' | 'never';
}

/** The MSRP relay of the account (RFC 4976); the password is in `AccountSecrets`. */
export interface MsrpRelayConfig {
  /** `msrps://relay.example:2855;tcp`: its certificate must prove this name. Without a port it is looked up by SRV. */
  readonly uri: string;
  /** Relays behind it that sessions go through too, the nearest first. */
  readonly further?: readonly string[];
  /** The user name of the account's digest when absent. */
  readonly username?: string;
  /** The only realm whose challenges are answered; any when absent. */
  readonly realm?: string;
  /** PEM certificates trusted instead of the system's. */
  readonly trustedCa?: string;
  /** Seconds asked for each session's URI; the relay's choice when absent. */
  readonly expires?: number;
}

/** Where the SIP server is, and how it proves itself and we to it; the private key is in `AccountSecrets`. */
export type SipServerConfig = Omit<SipTarget, 'clientCertificate'> & {
  /** Certificates for a server that asks for one (mutual TLS): DER, our own first, each next one certifies the one before. */
  readonly clientCertificates?: readonly Uint8Array[];
};

/** Where the sessions of an account are listened for. */
export interface MediaConfig {
  /** An address of this machine, instead of the one from which the SIP server is reached. */
  readonly address?: string;
  /** First and last port, both included, instead of any that is free. */
  readonly portRange?: readonly [first: number, last: number];
}

export interface AccountConfig {
  readonly id: string;
  /** Public identity (IMPU), `sip:alice@example.org`. */
  readonly identity: string;
  /** Private identity (IMPI), the user name of the digest. */
  readonly privateIdentity: string;
  readonly displayName?: string;
  readonly domain: string;
  /** By password when absent. */
  readonly authentication?: SipAuthenticationConfig;
  readonly server: SipServerConfig;
  /** Another server of the network, for a second flow to it (RFC 5626). Without it the other places of `server` serve, where there are any. */
  readonly secondServer?: SipServerConfig;
  /** The identity, of those that the network associates, as which requests are sent (P-Preferred-Identity). */
  readonly preferredIdentity?: string;
  /** What is told to the network about the access (P-Access-Network-Info), over protected flows only: `IEEE-802.11`. */
  readonly accessNetworkInfo?: string;
  /** Instead of the pauses that RFC 5626 clause 4.5 suggests. */
  readonly flowRecovery?: FlowRecoveryTimes;
  /** Without it nothing can be protected end to end. */
  readonly kms?: KmsConfig;
  /** Without it sessions connect directly. */
  readonly msrpRelay?: MsrpRelayConfig;
  readonly media?: MediaConfig;
  readonly policy: Policy;
  /** Policies that differ from `policy`, by address of the contact. */
  readonly contactPolicies?: Readonly<Record<string, Policy>>;
  readonly files?: FilesConfig;
  /**
   * Takes a session that we asked to be protected to the edge as so protected although the answer does not say it,
   * provided the network announced it at registration (profile 2.5). Default: no.
   */
  readonly e2aeInferFromRegistration?: boolean;
  readonly receipts?: ReceiptsConfig;
  readonly messages?: MessagesConfig;
  /** Tells peers that the user is writing (RFC 3994). Default: yes. */
  readonly composing?: boolean;
  /** How long a message is tried before it is given up; 168 when absent. */
  readonly messageLifetimeHours?: number;
  /** Profile 1.6. */
  readonly mediasecOptionTag?: boolean;
  /** Quality of protection of the digest where a server offers both. Default: `auth`; `auth-int` covers the body too. */
  readonly digestQop?: 'auth' | 'auth-int';
  /** Asks the network to tell what happens to the registration, and of the user's other devices (RFC 3680). Default: yes. */
  readonly registrationEvents?: boolean;
}

export interface AccountSecrets {
  /** For realms on the way other than the home network's. */
  readonly credentials?: readonly RealmCredential[];
  /** For authentication mode `digest` and credential mode `gba-digest`. */
  readonly password?: SecretBytes;
  /** For the MSRP relay; `password` when absent. */
  readonly msrpRelayPassword?: SecretBytes;
  /** Of `server.clientCertificates`: DER of PKCS #8. */
  readonly clientPrivateKey?: SecretBytes;
  /** For authentication mode `aka` and credential mode `gba-aka`: K and OPc. */
  readonly sim?: MilenageKeys;
  /** 32 octets shared with the KMS, for credential mode `static-psk`. */
  readonly kmsPsk?: SecretBytes;
  /** DER of PKCS #8, for credential mode `certificate`. */
  readonly kmsPrivateKey?: SecretBytes;
}
