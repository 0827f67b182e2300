import type { ReadTree } from '../../base/tree-reader.ts';
import type { Finding } from '../../protocol/mikey/inspect/index.ts';

/** One thing that was found in the input, with the things inside it. This is also the shape of `--json`. */
export interface InspectedItem extends ReadTree {
  /** How it was found, for example `a=key-mgmt of line 12`. */
  readonly where: string;
  /** For example `MIKEY message`. */
  readonly format: string;
  readonly octets: number;
  /** Of MIKEY: what could be verified and deciphered, and what not, and why. */
  readonly findings?: readonly Finding[];
  /** What the strict codec, which reads before anything is acted on, has against it. */
  readonly refusal?: string;
  readonly contains: readonly InspectedItem[];
}
