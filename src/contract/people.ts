import { z } from 'zod';
import { policy } from './views.ts';

/** Octets of a file of contacts, at most; as text on the bridge. */
export const maxCardCharacters = 700_000;

export const contactReceipts = z.strictObject({ delivery: z.boolean().optional(), display: z.boolean().optional() });
export type ContactReceiptsView = z.infer<typeof contactReceipts>;

export const contactView = z.object({
  id: z.string(),
  name: z.string(),
  /** The preferred one first. */
  addresses: z.array(z.string()).readonly(),
  organisation: z.string().optional(),
  note: z.string().optional(),
  /** For all its addresses in every account; absent where the accounts' holds. */
  policy: policy.optional(),
  /** What it is told about its messages; what is absent is as the account has it. */
  receipts: contactReceipts.optional(),
});
export type ContactView = z.infer<typeof contactView>;

const text = z.string().max(16_384);

/** What a user writes of a contact. With `id` of one that exists; what is absent is taken away. */
export const contactDraft = z.strictObject({
  id: z.string().min(1).max(200).optional(),
  name: text,
  addresses: z.array(z.string().max(1000)).max(100),
  organisation: text.optional(),
  note: text.optional(),
  policy: policy.optional(),
  receipts: contactReceipts.optional(),
});

export const putContactOutcome = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('kept'), contact: contactView }),
  /** `field`: which of the draft is wrong. `explanation`: a sentence. */
  z.object({ outcome: z.literal('refused'), field: z.string(), explanation: z.string() }),
]);

export const cardReport = z.object({
  added: z.int(),
  updated: z.int(),
  unchanged: z.int(),
  /** What was not taken, by line of the file; each a sentence without its full stop. */
  refused: z.array(z.object({ line: z.int(), why: z.string() })).readonly(),
});
export type CardReport = z.infer<typeof cardReport>;

const sighting = z.object({
  value: z.string(),
  way: z.enum(['in', 'out']),
  firstAt: z.number(),
  lastAt: z.number(),
  count: z.int(),
});
export type Sighting = z.infer<typeof sighting>;

/** What vouched for one peer in one account, by what was verified. */
export const trustRecord = z.object({
  accountId: z.string(),
  peer: z.string(),
  firstAt: z.number(),
  lastAt: z.number(),
  count: z.int(),
  levels: z.array(sighting).readonly(),
  kms: z.array(sighting).readonly(),
  protections: z.array(sighting).readonly(),
  fingerprints: z.array(sighting).readonly(),
});
export type TrustRecordView = z.infer<typeof trustRecord>;

/** By the word of the network: nothing of it is proven. */
export const presenceView = z.object({
  accountId: z.string(),
  peer: z.string(),
  state: z.enum(['available', 'away', 'busy', 'offline', 'unknown']),
  note: z.string().optional(),
  watch: z.enum(['off', 'asking', 'pending', 'active', 'refused', 'unsupported', 'waiting']),
});
export type PresenceViewOfPeer = z.infer<typeof presenceView>;
