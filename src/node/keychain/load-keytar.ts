import type * as keytar from 'keytar';

/** The operating system's keychain, as keytar gives it: texts by service and account. */
export type Keytar = typeof keytar;

/**
 * keytar, an optional dependency.
 * @throws Error when it is not installed, built for another system, or misses a library of the system.
 */
export async function loadKeytar(): Promise<Keytar> {
  const module: Keytar & { readonly default?: Keytar } = await import('keytar');
  return module.default ?? module;
}
