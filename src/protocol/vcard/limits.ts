/** Bounds of a file of vCards. A picture of 64 KiB, base64, with its folding, fits into a line. */
export const vcardLimits = {
  octets: 32 * 1024 * 1024,
  cards: 20_000,
  lineOctets: 1024 * 1024,
  propertiesPerCard: 500,
  parametersPerProperty: 32,
  /** Notes about what was left out; those after it are counted, not kept. */
  problems: 2_000,
} as const;
