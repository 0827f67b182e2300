import type { SipMessage } from '../../protocol/sip/message.ts';
import type { LabFaults } from '../faults.ts';
import type { LabUser } from '../users.ts';
import type { ImsAlg } from '../media/ims-alg.ts';
import type { Timers } from '../timers.ts';
import type { Dialogs } from './dialogs.ts';
import type { Flow } from './flow.ts';
import type { MessageStore } from './message-store.ts';
import type { Forwarding, ForwardingHandlers, ForwardingTimes } from './forwarding.ts';
import type { Registrar } from './registrar.ts';

export interface ProxyOptions {
  readonly domain: string;
  readonly registrar: Registrar;
  readonly alg: ImsAlg;
  readonly faults: LabFaults;
  readonly timers: Timers;
  readonly times: ForwardingTimes;
  /** Sees every MESSAGE and INVITE, and every answer to an INVITE, as the edge received it. */
  capture(message: SipMessage): void;
  /** Hears how a UE answered a replayed MESSAGE. */
  replayed(status: number): void;
  /** Messages for users who are not there. */
  readonly messages: MessageStore;
  /** A user's other devices get a copy of each MESSAGE that the user sends. */
  readonly copiesSentMessages: boolean;
  /** What else answers requests, asked in that order before they go to a user. */
  readonly services: (tools: ForwardingTools) => readonly RequestService[];
}

export type RequestHandler = (flow: Flow, sender: LabUser, request: SipMessage) => void;

/** Something in the network that is no user: a chat room, a notifier, a list. */
export interface RequestService {
  /** What to do with the request, undefined when it is for somebody else. Never throws. */
  claim(request: SipMessage): RequestHandler | undefined;
  flowClosed?(flow: Flow): void;
  stop?(): void;
}

/** What the proxy lends to the parts that know one method. */
export interface ForwardingTools extends ProxyOptions {
  readonly dialogs: Dialogs;
  /** A transaction from `upstream` (or, when undefined, from the edge itself) to be given branches. */
  forwarding(upstream: Flow | undefined, request: SipMessage, handlers?: Partial<ForwardingHandlers>): Forwarding;
  /** A MESSAGE of the network itself, to all devices of a user or kept for them. False when it can not be kept. */
  submit(message: SipMessage, user: LabUser): boolean;
}
