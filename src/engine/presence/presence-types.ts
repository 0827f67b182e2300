/** What somebody wants others to see. */
export const presenceStates = ['available', 'away', 'busy', 'offline'] as const;
export type PresenceState = (typeof presenceStates)[number];

/**
 * How the watching of a contact stands: `off` (not asked: presence is off or the account is not registered), `asking`, `pending` (the
 * contact has not decided yet), `active`, `refused` (by the contact or its network), `unsupported` (the network has no presence, for
 * this contact or at all), `waiting` (it failed, and is tried again by itself).
 */
export type WatchState = 'off' | 'asking' | 'pending' | 'active' | 'refused' | 'unsupported' | 'waiting';

/** The presence of a contact, by the word of the network that delivers it: nothing here is proven. */
export interface PresenceView {
  /** KMS user identity. */
  readonly peer: string;
  /** `unknown` unless `watch` is `active` and something was said. */
  readonly state: PresenceState | 'unknown';
  /** By the contact. */
  readonly note?: string;
  /** When it was said last, milliseconds since 1970, by the clock of this device. */
  readonly heardAt?: number;
  readonly watch: WatchState;
  /** Status of the answer that refused the subscription. */
  readonly status?: number;
  readonly vouchedBy: 'network';
}

/** Our own presence in one account. */
export interface OwnPresenceView {
  readonly state: PresenceState;
  readonly note?: string;
  /** Whether the contacts that are to be watched are. */
  readonly watches: boolean;
  /**
   * `off`: not told to anybody; `told`: the network took it; `sending`; `waiting`: it failed and is tried again; `unsupported`: the
   * network takes no presence.
   */
  readonly publication: 'off' | 'sending' | 'told' | 'waiting' | 'unsupported';
}

/** Answers that say that a network knows nothing of presence (RFC 3903 section 4, RFC 6665 section 4.1.2.1). */
export function isWithoutPresence(status: number): boolean {
  return status === 405 || status === 489 || status === 501;
}
