/**
 * Who can read a message, from best to worst:
 * `e2e` only the two ends (and whoever runs the KMS); `e2ae` also the network behind the access edge;
 * `unverified` encrypted to an end point nobody vouched for; `none` everybody on the way.
 */
export const protectionLevels = ['e2e', 'e2ae', 'unverified', 'none'] as const;
export type ProtectionLevel = (typeof protectionLevels)[number];

/** What an account or contact demands (docs/security-model.md). */
export const policies = ['require-e2e', 'prefer-e2e', 'require-e2ae', 'any'] as const;
export type Policy = (typeof policies)[number];

/** True when `level` protects at least as well as `floor`. */
export function isAtLeast(level: ProtectionLevel, floor: ProtectionLevel): boolean {
  return protectionLevels.indexOf(level) <= protectionLevels.indexOf(floor);
}
