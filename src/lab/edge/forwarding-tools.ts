import type { SipMessage } from '../../protocol/sip/message.ts';
import type { LabFaults } from '../faults.ts';
import type { LabUser } from '../users.ts';
import type { ImsAlg } from '../media/ims-alg.ts';
import type { Timers } from '../timers.ts';
import type { Dialogs } from './dialogs.ts';
import type { Flow } from './flow.ts';
import type { Forwarding, ForwardingHandlers, ForwardingTimes } from './forwarding.ts';
import type { Registrar } from './registrar.ts';

export interface ProxyOptions {
  readonly domain: string;
  readonly registrar: Registrar;
  readonly alg: ImsAlg;
  readonly faults: LabFaults;
  readonly timers: Timers;
  readonly times: ForwardingTimes;
  /** Where the edge listens for flows of that kind. */
  addressOf(flow: Flow): { readonly host: string; readonly port: number };
  /** Sees every MESSAGE and INVITE, and every answer to an INVITE, as the edge received it. */
  capture(message: SipMessage): void;
  /** Hears how a UE answered a replayed MESSAGE. */
  replayed(status: number): void;
  /** Chat rooms: requests for one end there. */
  readonly rooms?: {
    roomOf(
      request: SipMessage,
    ): { readonly handle: (flow: Flow, sender: LabUser, request: SipMessage) => void } | undefined;
    flowClosed(flow: Flow): void;
  };
}

/** What the proxy lends to the parts that know one method. */
export interface ForwardingTools extends ProxyOptions {
  readonly dialogs: Dialogs;
  /** A transaction from `upstream` (or, when undefined, from the edge itself) to be given branches. */
  forwarding(upstream: Flow | undefined, request: SipMessage, handlers?: Partial<ForwardingHandlers>): Forwarding;
}
