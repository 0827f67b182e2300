import type { Session, SessionDelegate } from 'sip.js';
import type { EnginePorts } from '../ports.ts';
import { EstablishedSession } from './established-session.ts';
import type { MsrpSessionDescriptionHandler } from './msrp-session-description-handler.ts';
import type { FlowFacts } from './types.ts';

/** What all INVITE sessions of one user agent share. */
export interface InviteContext {
  readonly ports: Pick<EnginePorts, 'clock' | 'log' | 'random'>;
  /** Where SIP.js finds the description handler of a session. */
  readonly handlers: WeakMap<Session, MsrpSessionDescriptionHandler>;
  /** Sessions that stand, to be ended when the user agent stops. */
  readonly sessions: Set<EstablishedSession>;
  /** Give up outgoing invitations without answer. */
  readonly pending: Set<() => void>;
  /** What the sessions' requests and answers travel over now. */
  readonly facts: () => FlowFacts | undefined;
  /** What happens to requests inside a dialog. */
  readonly createDelegate: () => SessionDelegate;
}

export function establish(
  { ports, sessions }: InviteContext,
  session: Session,
  remote: string,
  delegate: SessionDelegate,
): EstablishedSession {
  const established = new EstablishedSession(session, remote, delegate, ports);
  sessions.add(established);
  established.onEnded(() => sessions.delete(established));
  return established;
}
