import { randomBytes } from 'node:crypto';

import type { Random } from '../base/random.ts';

/** The operating system's generator. */
export const secureRandom: Random = { bytes: (length) => Uint8Array.from(randomBytes(length)) };
