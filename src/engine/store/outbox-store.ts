import type { Policy, ProtectionLevel } from '../../base/protection-level.ts';

/** What is still owed to a message that the app accepted: enough to send it after a restart. Its text is that of the message. */
export interface OutboxEntry {
  /** Id of the message in the message store. */
  readonly id: string;
  readonly peer: string;
  readonly way: 'message' | 'msrp';
  /** What was demanded of it when it was accepted. */
  readonly policy: Policy;
  /** It never leaves at less, whatever the policy becomes. */
  readonly floor: ProtectionLevel;
  /** Order of acceptance within the account. */
  readonly sequence: number;
  /** How often octets of it may have left. */
  readonly attempts: number;
  /** An attempt whose outcome is not known: another one may be a second copy, which the other side tells by the Message-ID. */
  readonly uncertain: boolean;
  /** Not before, milliseconds since 1970; absent: as soon as it can. */
  readonly notBefore?: number;
  /** Given up after, milliseconds since 1970. */
  readonly expiresAt: number;
  /** Of a message to several: those who have not taken it yet. */
  readonly recipients?: readonly string[];
}

export interface OutboxStore {
  /** Adds or replaces by id. */
  put(entry: OutboxEntry): void;
  remove(id: string): void;
  get(id: string): OutboxEntry | undefined;
  /** In order of `sequence`. */
  list(peer?: string): readonly OutboxEntry[];
  count(): number;
  /** One more than the highest that was ever put, also over restarts. */
  nextSequence(): number;
}
