import type { TestOptions } from 'vitest';
import { findProgram } from './find-program.ts';

/** Something optional that a test needs and that is not here. */
export interface Lack {
  /** In a few words: `openssl is not installed`. */
  readonly reason: string;
  /** Debian's packages that bring it; none where no package helps. */
  readonly packages: readonly string[];
}

declare module 'vitest' {
  interface TaskMeta {
    /** Why the test was skipped. */
    lacks?: readonly Lack[];
  }
}

/**
 * Options of a test or a suite that needs something optional: it is skipped where anything lacks, and the run says so. A test is
 * skipped in no other way (lint sees to that), so that none is left out without a reason.
 * @param lacks what lacks; `undefined` for what is there.
 */
export function needing(...lacks: readonly (Lack | undefined)[]): Pick<TestOptions, 'skip' | 'meta'> {
  const found = lacks.filter((lack) => lack !== undefined);
  return found.length === 0 ? {} : { skip: true, meta: { lacks: found } };
}

/** What lacks where one of these programs is not on the PATH. */
export function lackOfProgram(packages: readonly string[], ...names: readonly string[]): Lack | undefined {
  const absent = names.find((name) => findProgram(name) === undefined);
  return absent === undefined ? undefined : { reason: `${absent} is not installed`, packages };
}

/** `openssl is not installed (Debian: openssl)` */
export const lackInWords = ({ reason, packages }: Lack): string =>
  packages.length === 0 ? reason : `${reason} (Debian: ${packages.join(', ')})`;
