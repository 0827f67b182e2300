import { z } from 'zod';

/** Longest passphrase, in UTF-16 units. */
export const maxPassphraseLength = 1000;

/** How messages are kept on this device. While `locked` or `undecided` nothing else can be asked for. */
export const storageView = z.object({
  state: z.enum([
    /** `passphrase` tells whether one protects them: then it can be changed. */
    'encrypted',
    /** For this run of the program only; `reason` tells why. */
    'memory',
    /** They wait for the passphrase. */
    'locked',
    /** There is no keychain, and nothing is kept yet: the user decides between a passphrase and memory. */
    'undecided',
    /** They are there and cannot be opened now; `reason` tells why. Nothing was changed. */
    'unusable',
  ]),
  /** A sentence, for the user. */
  reason: z.string().optional(),
  /** Size on the disk. */
  octets: z.number().optional(),
  passphrase: z.boolean().optional(),
  /** Where a damaged file of messages was put; a new one was begun. */
  damagedFile: z.string().optional(),
});
export type StorageView = z.infer<typeof storageView>;

export const passphraseOutcome = z.object({
  outcome: z.enum(['done', 'wrong-passphrase', 'failed']),
  /** For `failed`: a sentence, for the user. */
  explanation: z.string().optional(),
});
export type PassphraseOutcome = z.infer<typeof passphraseOutcome>;
