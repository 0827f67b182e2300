import { z } from 'zod';
import { evidence } from './evidence.ts';
import { protectionLevel, refusal } from './views.ts';

/** Base64 characters of 32 KiB. */
export const maxIconCharacters = 43_692;

/** What becomes of a file; docs/files.md tells what leads from one to the next. */
export const fileState = z.enum([
  'preparing',
  /** Out: the peer is asked. In: the user is asked. */
  'offered',
  'waiting',
  'transferring',
  /** By either side, until one of them resumes. */
  'paused',
  /** `problem` tells why; what is temporary goes on by itself. */
  'interrupted',
  'done',
  'cancelled',
  'declined',
  'failed',
]);
export type FileState = z.infer<typeof fileState>;

/** A small picture of the sender's; its first octets were checked, nothing more: it goes into a picture element only. */
export const fileIcon = z.object({
  contentType: z.enum(['image/png', 'image/jpeg', 'image/webp']),
  base64: z.string().max(maxIconCharacters),
});
export type FileIcon = z.infer<typeof fileIcon>;

export const fileView = z.object({
  id: z.string(),
  accountId: z.string(),
  /** URI of the peer. */
  conversation: z.string(),
  direction: z.enum(['in', 'out']),
  /** As its sender named it: to be shown. */
  name: z.string(),
  type: z.string(),
  /** Octets; absent where the sender did not say. */
  size: z.number().optional(),
  state: fileState,
  /** Octets that are at the receiver as far as this side knows. */
  transferred: z.number(),
  /** Milliseconds since the epoch. */
  at: z.number(),
  /** While `offered`, the best that it can be protected with; with `evidence`, what was proved. */
  level: protectionLevel.optional(),
  evidence: evidence.optional(),
  icon: fileIcon.optional(),
  /** Where one that came in is on this machine, whole and checked: to be read by people. */
  storedAt: z.string().optional(),
  /** For one that came in whole: whether a hash of SHA-256 or stronger was checked. */
  hashChecked: z.boolean().optional(),
  problem: refusal.optional(),
});
export type FileView = z.infer<typeof fileView>;

/** A file that the user chose outside of the screens, which know it by this token alone: they never name a path. */
export const pickedFile = z.object({
  token: z.string(),
  name: z.string(),
  size: z.number(),
  type: z.string(),
});
export type PickedFile = z.infer<typeof pickedFile>;

/** What this shell can do about files: choose by its own dialog, or take what the page uploads; show one in its folder. */
export const fileAbilities = z.object({ choose: z.enum(['dialog', 'upload', 'none']), show: z.boolean() });
export type FileAbilities = z.infer<typeof fileAbilities>;

export const sendFileOutcome = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('offered'), file: fileView }),
  z.object({ outcome: z.literal('refused'), refusal }),
]);
export type SendFileOutcome = z.infer<typeof sendFileOutcome>;
