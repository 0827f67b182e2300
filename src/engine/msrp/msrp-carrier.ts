import type { MsrpConnection } from '../ports.ts';
import type { LinkedParty } from './msrp-link-driver.ts';

/** What carries a session: a connection that it may share with others, or its place at a relay. */
export interface MsrpCarrier {
  readonly connection: MsrpConnection;
  /** @throws ProtocolError `local` when the connection is gone or the party's URI is taken on it. */
  add(party: LinkedParty): void;
  /** Writes what the party still has to say and forgets it. */
  leave(party: LinkedParty): void;
  /** The party may have something to write. */
  ready(party: LinkedParty): void;
  /** Stops reading as long as anybody on the connection has a reason to. */
  setPause(reason: unknown, isNeeded: boolean): void;
}
