/** Bounds of the engine: how long it waits and how much it keeps. Values of the 3GPP profile are in src/protocol/profile.ts. */
export const limits = {
  /** Above the adapter's own limit, so that its more exact error comes first. */
  kmsExchangeMilliseconds: 15_000,
  /** A whole bootstrapping: up to four questions, each with the adapter's own limit. */
  bootstrappingMilliseconds: 30_000,
  /** A KMS that refuses a fresh key too is asked with that key so long before another one is made. */
  rebootstrapMilliseconds: 60_000,
  /** Keys of one account that are kept for exchanges which still run with them. */
  bootstrappedKeys: 16,
  inviteMilliseconds: 40_000,
  sipMessageMilliseconds: 40_000,
  /** TCP connection and TLS handshake of a session. */
  mediaSetupMilliseconds: 15_000,
  /** From the first AUTH of a session to the URI of the last relay. */
  relayAuthMilliseconds: 60_000,
  /** A connection to our relay without sessions (RFC 4976 section 5.4). */
  relayIdleMilliseconds: 60 * 60_000,
  /** Octets of a chunk that goes through a relay: Kamailio holds a frame whole, and none of 12 KiB. */
  relayChunkOctets: 8 * 1024,
  /** From the SEND of a text to its 200 and report. */
  sessionSendMilliseconds: 30_000,
  sessionIdleMilliseconds: 10 * 60_000,
  sessionEndMilliseconds: 5_000,
  stopMilliseconds: 8_000,
  sessionsPerAccount: 64,
  /** Octets of one message in a session that is shown as text. */
  sessionTextOctets: 256 * 1024,
  /** Octets of a file that is taken. */
  fileOctets: 64 * 1024 ** 3,
  /** Files that wait for the user's answer. */
  offeredFiles: 32,
  fileTransfers: 500,
  messagesPerConversation: 5_000,
  conversations: 2_000,
  cachedTickets: 500,
  replayEntries: 20_000,
  undecryptableMessages: 100,
  /** Waiting times before a message that could not be decrypted for want of its KMS is tried again. */
  decryptionRetryMilliseconds: [3_000, 10_000, 30_000, 120_000, 600_000, 3_600_000],
} as const;
