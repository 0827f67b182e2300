import type { EnginePorts, SipTarget } from '../../ports.ts';
import type { IncomingInvite, IncomingMessage, SipAccount } from '../types.ts';
import type { FlowBackOff } from './flow-back-off.ts';
import type { HopChoice } from './hop-choice.ts';

/** @typeParam Flow `SipFlow`. */
export interface SipFlowOptions<Flow> {
  readonly ports: EnginePorts;
  readonly account: SipAccount;
  readonly regId: number;
  readonly target: SipTarget;
  readonly hops: HopChoice;
  readonly backOff: FlowBackOff;
  /** UUID of this device. */
  readonly instanceId: () => Promise<string>;
  readonly onState: (flow: Flow) => void;
  readonly onConnection: (flow: Flow, change: { readonly connected: boolean; readonly error?: string }) => void;
  readonly onMessage: (message: IncomingMessage, flow: Flow) => void;
  readonly onInvite: (invite: IncomingInvite, flow: Flow) => void;
}
