import { z } from 'zod';

export const exportOutcome = z.discriminatedUnion('outcome', [
  /** `where`: the file, to be read by people. */
  z.object({ outcome: z.literal('saved'), where: z.string() }),
  /** The page gets it from this path, once. */
  z.object({ outcome: z.literal('download'), path: z.string(), name: z.string() }),
  z.object({ outcome: z.literal('cancelled') }),
  /** A sentence, for the user. */
  z.object({ outcome: z.literal('failed'), explanation: z.string() }),
]);
export type ExportOutcome = z.infer<typeof exportOutcome>;

export const importOutcome = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('done'),
    taken: z.int(),
    known: z.int(),
    /** What was left out, by reason; each a sentence without its full stop. */
    leftOut: z.record(z.string(), z.int()),
  }),
  z.object({ outcome: z.literal('failed'), explanation: z.string() }),
]);
export type ImportOutcome = z.infer<typeof importOutcome>;
