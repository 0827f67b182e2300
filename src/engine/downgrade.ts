import type { RefusalCode } from './refusal.ts';

/**
 * Failures that mean "e2e is not to be had here", after which `prefer-e2e` may offer less. All others, such as a failed
 * handshake or a forged answer, may be the work of an attacker who wants exactly that offer: they stay refusals.
 */
const absences: ReadonlySet<RefusalCode> = new Set([
  'no-kms',
  'kms-unreachable',
  'kms-refused',
  'bootstrapping-refused',
  'psk-tls-unavailable',
  'peer-incompatible',
]);

export function mayOfferLess(code: RefusalCode): boolean {
  return absences.has(code);
}
