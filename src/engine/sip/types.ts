import type { Events } from '../../base/events.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { SipHeaders } from '../../protocol/sip/message.ts';
import type { SipTarget } from '../ports.ts';
import type { SoftwareSim } from '../sim/index.ts';
import type { FlowFacts, FlowRecoveryTimes, FlowStatus, Gruus, OwnDevice, RegistrationState } from './flow-types.ts';

export type * from './flow-types.ts';

/** What an account proves itself with. */
export type SipAuthentication =
  | { readonly mode: 'digest'; readonly password: SecretBytes }
  /** Only challenges of AKA are answered, and only to REGISTER: no password leaves, and the network proves itself too. */
  | { readonly mode: 'aka'; readonly sim: SoftwareSim };

/** Who we are to a realm other than the account's own, for example to a proxy on the way. */
export interface RealmCredential {
  /** As the challenge writes it. */
  readonly realm: string;
  readonly username: string;
  readonly password: SecretBytes;
}

/** Who registers, and where. */
export interface SipAccount {
  /** Public identity (IMPU), `sip:alice@lab.test`. */
  readonly identity: string;
  /** Private identity (IMPI), the digest user name. */
  readonly privateIdentity: string;
  readonly authentication: SipAuthentication;
  /** Home network domain: registrar and expected digest realm of the first REGISTER. */
  readonly domain: string;
  readonly target: SipTarget;
  /** For realms other than the home network's, which gets `authentication`. */
  readonly credentials?: readonly RealmCredential[];
  /** Quality of protection where a server offers both; `auth` when absent. `auth-int` covers the body too. */
  readonly digestQop?: 'auth' | 'auth-int';
  /** Subscribes to the state of the registration (RFC 3680). Default: yes. */
  readonly registrationEvents?: boolean;
  /** Another server of the same network, for a second flow (RFC 5626). */
  readonly secondTarget?: SipTarget;
  /** Sends `Require` and `Proxy-Require: mediasec` (profile 1.6). */
  readonly mediasecOptionTag?: boolean;
  readonly displayName?: string;
  /** Requested life of the registration in seconds; the registrar decides. */
  readonly expiresSeconds?: number;
  /** UUID of this device in `+sip.instance`, the same over all restarts; a fresh one for each user agent when absent. */
  readonly instanceId?: string | (() => Promise<string>);
  /** The public identity, of those that the network associates, as which requests are sent (P-Preferred-Identity, RFC 3325). */
  readonly preferredIdentity?: string;
  /** P-Access-Network-Info (RFC 7315), told over protected flows only. */
  readonly accessNetworkInfo?: string;
  /** Of RFC 5626 clause 4.5; its defaults when absent. */
  readonly flowRecovery?: FlowRecoveryTimes;
}

/** The final answer to a request, be it the server's or, where there was none, our own 408 or 503. */
export interface SipReply {
  readonly status: number;
  readonly reason: string;
  readonly headers: SipHeaders;
  readonly body: Uint8Array;
  /** Set when no server said this. `not-sent`: it could not leave in any way; the status says why. */
  readonly local?: 'timeout' | 'connection-lost' | 'not-sent';
  /** Set when it is certain that no octet of the request left. */
  readonly unsent?: true;
}

export interface OutgoingMessage {
  /** sip, sips or tel URI. */
  readonly to: string;
  readonly contentType: string;
  /** At most 64 KiB. */
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * The flow by which the sender judged how the message is protected. It leaves over none that protects less; where there is no other,
   * nothing of it leaves and the reply says `unsent`. What protects itself names none.
   */
  readonly judgedBy?: FlowFacts | undefined;
}

/** Makes and judges session descriptions for one session. `close` is called exactly once, when the session is over. */
export interface SdpNegotiator {
  createOffer(): Promise<string>;
  /** A rejection ends the dialog: ACK, then BYE. @param flow that the answer came over. */
  acceptAnswer(sdp: string, flow: FlowFacts | undefined): Promise<void>;
  /** A rejection refuses the invitation: a ProtocolError's SIP hint, else 488. */
  createAnswer(offer: string): Promise<string>;
  close(): void;
}

/** A body beside a session description that the description refers to by `cid:` (RFC 2387, RFC 2392). */
export interface RelatedPart {
  /** Without angle brackets. */
  readonly contentId: string;
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

export interface OutgoingInvite {
  readonly to: string;
  readonly negotiator: SdpNegotiator;
  /** Goes with the offer, as multipart/related whose root is the SDP; a peer without that answers 415. */
  readonly related?: readonly RelatedPart[];
  /** From the INVITE to its final answer; then it is cancelled. 60 s when absent. */
  readonly timeoutMilliseconds?: number;
  /** Cancels. */
  readonly signal?: AbortSignal;
}

export type InviteOutcome =
  | { readonly outcome: 'established'; readonly session: SipSession }
  | {
      readonly outcome: 'rejected';
      readonly status: number;
      readonly reason: string;
      /** Texts of the Warning headers. */
      readonly warning?: string;
      readonly contentType?: string;
      readonly body?: Uint8Array;
    }
  /** No answer, cancelled, connection lost, or an answer that the negotiator refused. */
  | { readonly outcome: 'failed'; readonly error: Error };

export interface SipSession {
  readonly id: string;
  /** URI of the other side. */
  readonly remote: string;
  /** The other side's Contact has `isfocus`: it is a conference (RFC 3840, RFC 4579). Known of sessions that we opened. */
  readonly isFocus?: boolean;
  /** Sends BYE; resolves when it is answered or after 5 s, at once when the session is over already. Never rejects. */
  end(reason?: string): Promise<void>;
  /** Called once, at once when the session is over already. */
  onEnded(listener: (why: string) => void): void;
}

export interface MessageAnswer {
  readonly reason?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly body?: Uint8Array | string;
}

/** A SIP MESSAGE that waits for `respond`; after 30 s it is answered with 500. */
export interface IncomingMessage {
  /** URIs as on the wire, tel URIs included. */
  readonly from: string;
  readonly to: string;
  /** P-Asserted-Identity, worth as much as the flow it came on. Absent when that is not registered: anybody could have written it. */
  readonly assertedIdentity?: string;
  readonly callId: string;
  readonly contentType: string;
  /** Octet for octet as received. */
  readonly body: Uint8Array;
  header(name: string): string | undefined;
  /** It came over the connection on which we are registered. */
  readonly onRegisteredFlow: boolean;
  /** The connection that it came over. */
  readonly flow: FlowFacts | undefined;
  /** The first call counts. @param status 200 to 699. */
  respond(status: number, answer?: MessageAnswer): void;
}

export interface RejectAnswer extends MessageAnswer {
  /** Text of a Warning header with code 399. */
  readonly warning?: string;
}

/** An INVITE with a well-formed SDP offer that waits for `accept` or `reject`. */
export interface IncomingInvite {
  readonly from: string;
  readonly to: string;
  readonly assertedIdentity?: string;
  readonly offer: string;
  /** What came with the offer in a multipart body. */
  readonly related: readonly RelatedPart[];
  readonly onRegisteredFlow: boolean;
  /** The connection that it came over, which may be another one than requests leave over. */
  readonly flow: FlowFacts | undefined;
  header(name: string): string | undefined;
  /** Rejects when the negotiator does (the caller is answered then) or when the invitation is over. */
  accept(negotiator: SdpNegotiator): Promise<SipSession>;
  /** Does nothing when the invitation is answered or over. @param status 400 to 699. */
  reject(status: number, answer?: RejectAnswer): void;
  /** Called once when the caller gives up, or nobody answers within 60 s, before accept or reject took effect. */
  onCancelled(listener: () => void): void;
}

export interface OutgoingSubscription {
  readonly to: string;
  /** Event package, for example `conference`. */
  readonly event: string;
  /** Media type of the notifications that we read. */
  readonly accept: string;
  /** Seconds; 3600 when absent. */
  readonly expires?: number;
  readonly onNotify: (notification: { readonly contentType: string; readonly body: Uint8Array }) => void;
  /** Whether the notifier has decided yet; told with every notification that does not end it. */
  readonly onState?: (state: 'active' | 'pending') => void;
  /** Called once when the notifier ended or refused it. */
  readonly onEnded: (why: SubscriptionEnd) => void;
}

/** Why a subscription is over, as far as it was said. */
export interface SubscriptionEnd {
  /** Of the answer that refused it; absent when it had begun, or nobody answered. */
  readonly status?: number;
  /** `rejected`, `noresource`, `probation` and others (RFC 6665 section 4.1.3). */
  readonly reason?: string;
  readonly retryAfterSeconds?: number;
}

/** A state that the network is to tell to those who may know it (RFC 3903). */
export interface OutgoingPublication {
  /** Whose state it is. */
  readonly to: string;
  /** Event package, for example `presence`. */
  readonly event: string;
  /** Seconds; 0 takes it away. */
  readonly expires: number;
  /** Absent to renew or to take away what was published before. */
  readonly content?: { readonly contentType: string; readonly body: Uint8Array };
  /** SIP-ETag of what it replaces, renews or takes away. */
  readonly ifMatch?: string;
}

export interface EventSubscription {
  /** Nothing is told any more. */
  end(): void;
}

export interface SipUserAgentEvents {
  readonly registration: RegistrationState;
  readonly message: IncomingMessage;
  readonly invite: IncomingInvite;
  readonly flow: { readonly connected: boolean; readonly error?: string };
  /** Devices of the same user came or went; all of them. */
  readonly ownDevices: readonly OwnDevice[];
}

export interface SipUserAgent {
  readonly events: Events<SipUserAgentEvents>;
  /** Connects. Rejects when the server cannot be reached or does not prove its name. */
  start(): Promise<void>;
  /** Ends sessions, unregisters, disconnects: within 5 s, whatever the server does. Never rejects. */
  stop(): Promise<void>;
  /** Connects first where needed. The registration is renewed, and made again on a new connection, until `unregister` or `stop`. */
  register(): Promise<RegistrationState>;
  unregister(): Promise<RegistrationState>;
  readonly registration: RegistrationState;
  /** The connection that requests leave over now; undefined while not connected. */
  readonly flow: FlowFacts | undefined;
  /** Other devices of the same user, as far as the network tells; empty where it does not. */
  readonly ownDevices: readonly OwnDevice[];
  /** All that there are or should be, the preferred one first. */
  readonly flows: readonly FlowStatus[];
  /** Of the flow that requests leave over; absent where the network has none. */
  readonly gruu?: Gruus | undefined;
  /** @throws ProtocolError `local` (hint SIP 413 or 416) for a body above 64 KiB or an address that is no URI. */
  sendMessage(message: OutgoingMessage): Promise<SipReply>;
  invite(invite: OutgoingInvite): Promise<InviteOutcome>;
  /** @throws ProtocolError `local` for an address that is no URI. */
  subscribe(subscription: OutgoingSubscription): EventSubscription;
  /** @throws ProtocolError `local` for an address that is no URI, or more than 64 KiB. */
  publish(publication: OutgoingPublication): Promise<SipReply>;
}
