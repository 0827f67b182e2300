import { z } from 'zod';

/**
 * What proves the level of a message. Plain facts, no keys; every time is in milliseconds since the epoch.
 * The user interface turns each into words; nothing here claims more than was verified.
 */
const tls = z.object({ version: z.string(), suite: z.string() });

const ticket = z.object({
  issuedAt: z.number(),
  validUntil: z.number().exactOptional(),
  /** How this account came to the key that it shares with the key management server. */
  credential: z.enum(['static-psk', 'gba-aka', 'gba-digest', 'certificate']).exactOptional(),
});

const notProtected = z.array(z.string()).readonly();

/** MSRP over PSK-TLS, the key set up by MIKEY-TICKET. */
const msrpPskTls = z.object({
  kind: z.literal('msrp-psk-tls'),
  tls,
  role: z.enum(['active', 'passive']),
  kms: z.string(),
  ticket,
  keyId: z.string(),
  peer: z.string(),
  vouchedBy: z.literal('kms'),
  verifiedAt: z.number(),
  notProtected,
});

/** MSRP over TLS with certificate fingerprints from signalling. */
const msrpFingerprintTls = z.object({
  kind: z.literal('msrp-fingerprint-tls'),
  tls,
  localFingerprint: z.string(),
  peerFingerprint: z.string(),
  /** How the network said that it applied end-to-access-edge protection. */
  indication: z.enum(['applied', 'inferred-from-registration', 'none']),
  vouchedBy: z.enum(['network', 'nobody']),
  verifiedAt: z.number(),
  notProtected,
});

/** MSRP through relays: the name of the nearest was proven, what is behind it was not. */
const msrpRelay = z.object({
  kind: z.literal('msrp-relay'),
  tls,
  relay: z.string(),
  side: z.enum(['own', 'peer']),
  beyond: z.enum(['tls', 'plain']),
  vouchedBy: z.literal('nobody'),
  verifiedAt: z.number(),
  notProtected,
});

const msrpPlain = z.object({ kind: z.literal('msrp-plain'), vouchedBy: z.literal('nobody'), notProtected });

/** SIP MESSAGE whose body is CMS under a MIKEY-TICKET key. */
const messagePskMime = z.object({
  kind: z.literal('message-psk-mime'),
  contentEncryption: z.string(),
  kms: z.string(),
  ticket,
  keyId: z.string(),
  /** Whether the sender's identity was proven by the key, or merely claimed. */
  origin: z.enum(['proven', 'unproven']),
  vouchedBy: z.enum(['kms', 'nobody']),
  verifiedAt: z.number(),
  notProtected,
});

/** SIP MESSAGE protected by signalling alone. */
const messageSignalling = z.object({
  kind: z.literal('message-signalling'),
  /** Absent when it came over no registered flow. */
  transport: z.enum(['udp', 'tcp', 'tls', 'ws', 'wss']).exactOptional(),
  tls: tls.exactOptional(),
  /** Security-Server entries in force. */
  securityAgreement: z.array(z.string()).readonly(),
  vouchedBy: z.enum(['network', 'nobody']),
  verifiedAt: z.number(),
  notProtected,
});

export const evidence = z.discriminatedUnion('kind', [
  msrpPskTls,
  msrpFingerprintTls,
  msrpRelay,
  msrpPlain,
  messagePskMime,
  messageSignalling,
]);
export type Evidence = z.infer<typeof evidence>;
