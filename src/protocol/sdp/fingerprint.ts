import { ProtocolError } from '../../base/errors.ts';

/** One `a=fingerprint` value (RFC 8122 clause 5). */
export interface SdpFingerprint {
  /** Lower-case hash name, for example `sha-256`. */
  readonly hash: string;
  /** Upper-case hexadecimal pairs joined by colons. */
  readonly value: string;
}

const digestOctets: Readonly<Record<string, number>> = {
  md2: 16,
  md5: 16,
  'sha-1': 20,
  'sha-224': 28,
  'sha-256': 32,
  'sha-384': 48,
  'sha-512': 64,
};

/**
 * Reads any hash name; whether it is strong enough is the caller's policy.
 * @throws ProtocolError `malformed`, hint SIP 488: a stream with a broken fingerprint must not start.
 */
export function readFingerprint(text: string): SdpFingerprint {
  const [, name, value] = /^([!#$%&'*+.^_`{|}~0-9A-Za-z-]+) +([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*) *$/.exec(text) ?? [];
  const hash = name?.toLowerCase();
  if (hash === undefined || value === undefined) refuse('not a fingerprint', 'hash name and hexadecimal pairs');
  const octets = digestOctets[hash];
  if (octets !== undefined && value.length !== 3 * octets - 1) refuse('wrong length', `${octets} octets for ${hash}`);
  return { hash, value: value.toUpperCase() };
}

export function formatFingerprint({ hash, value }: SdpFingerprint): string {
  return `${hash} ${value}`;
}

function refuse(problem: string, expected: string): never {
  throw new ProtocolError('malformed', problem, { field: 'sdp.fingerprint', expected, hint: { sip: 488 } });
}
