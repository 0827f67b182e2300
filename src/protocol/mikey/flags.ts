/** The twelve bits of a ticket policy (RFC 6043 6.10). */
export interface TicketFlags {
  /** The KMS made the ticket. */
  readonly D: boolean;
  /** The responder must resolve the ticket with the KMS. */
  readonly E: boolean;
  /** A TRANSFER_RESP shall be sent. */
  readonly F: boolean;
  /** The responder generates RANDRr. */
  readonly G: boolean;
  /** RANDRi enters the derivation of session keys. */
  readonly H: boolean;
  /** Keys are forked per answering endpoint. */
  readonly I: boolean;
  /** The ticket may be used more than once. */
  readonly J: boolean;
  /** The KMS granted something else than was asked for. */
  readonly K: boolean;
  /** The initiator may supply session keys. */
  readonly L: boolean;
  /** The responder may supply session keys. */
  readonly M: boolean;
  /** The initiator needs nothing beyond RFC 6043. */
  readonly N: boolean;
  /** The responder needs nothing beyond RFC 6043. */
  readonly O: boolean;
}

/** In the order of the wire. */
export const flagNames = ['D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O'] as const;

const none: TicketFlags = {
  D: false,
  E: false,
  F: false,
  G: false,
  H: false,
  I: false,
  J: false,
  K: false,
  L: false,
  M: false,
  N: false,
  O: false,
};

/** For MSRP sessions: answered, forked, reusable, resolved at the KMS (profile 3.6). */
export const msrpTicketFlags: TicketFlags = {
  ...none,
  D: true,
  E: true,
  F: true,
  G: true,
  H: true,
  I: true,
  J: true,
  N: true,
  O: true,
};

/** For SIP MESSAGE: one way, so neither answer nor RANDRr; the carried key is a GTGK (profile 5.1). */
export const messageTicketFlags: TicketFlags = { ...msrpTicketFlags, F: false, G: false };
