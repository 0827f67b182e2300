/** RFC 5652 4 and RFC 5083 2. */
export const contentTypes = {
  data: '1.2.840.113549.1.7.1',
  authEnvelopedData: '1.2.840.113549.1.9.16.1.23',
} as const;

export type ContentEncryption = 'AES-128-GCM' | 'AES-256-GCM';

export interface AesAlgorithm<Name extends string> {
  readonly name: Name;
  readonly oid: string;
  readonly keyOctets: 16 | 32;
}

/** RFC 5084 3.2. */
export const contentEncryptions: readonly AesAlgorithm<ContentEncryption>[] = [
  { name: 'AES-128-GCM', oid: '2.16.840.1.101.3.4.1.6', keyOctets: 16 },
  { name: 'AES-256-GCM', oid: '2.16.840.1.101.3.4.1.46', keyOctets: 32 },
];

/** RFC 3565 2.3.2. */
export const keyWraps: readonly AesAlgorithm<string>[] = [
  { name: 'AES-128-WRAP', oid: '2.16.840.1.101.3.4.1.5', keyOctets: 16 },
  { name: 'AES-256-WRAP', oid: '2.16.840.1.101.3.4.1.45', keyOctets: 32 },
];
