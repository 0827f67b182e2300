import { z } from 'zod';
import { fromBase64, fromHex, fromUtf8, toBase64, toHex, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import type { NafKey } from '../naf-keys.ts';

/**
 * Reference point Zn in a form of our own, since the one of TS 29.109 is Diameter or SOAP: JSON over HTTPS with mutual TLS,
 * `POST /zn/bootstrapping-info`. docs/gba.md describes it.
 */
export const zn = {
  path: '/zn/bootstrapping-info',
  contentType: 'application/json',
  maxBodyOctets: 16 * 1024,
  timeoutMilliseconds: 5_000,
} as const;

/** What a NAF asks for. */
export interface ZnQuestion {
  readonly btid: string;
  readonly nafFqdn: string;
  /** Ua security protocol identifier (TS 33.220 annex H): 5 octets. */
  readonly uaProtocolId: Uint8Array;
}

const time = z.iso.datetime({ offset: true });
const questionSchema = z.strictObject({
  btid: z.string().regex(/^[!-~]{1,256}$/),
  nafFqdn: z.string().regex(/^[A-Za-z0-9.-]{1,253}$/),
  uaProtocolId: z.string().regex(/^[0-9a-fA-F]{10}$/),
});
const known = z.strictObject({
  known: z.literal(true),
  privateIdentity: z.string().min(1).max(256),
  identities: z.array(z.string().min(1).max(256)).min(1).max(64),
  /** 32 octets. */
  ksNaf: z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
  bootstrappedAt: time,
  validUntil: time,
});
const answerSchema = z.discriminatedUnion('known', [known, z.strictObject({ known: z.literal(false) })]);

export function encodeZnQuestion({ btid, nafFqdn, uaProtocolId }: ZnQuestion): Uint8Array {
  return utf8(JSON.stringify({ btid, nafFqdn, uaProtocolId: toHex(uaProtocolId) }));
}

/** @throws ProtocolError `malformed` that names the field. */
export function decodeZnQuestion(body: Uint8Array): ZnQuestion {
  const { btid, nafFqdn, uaProtocolId } = decode(questionSchema, body, 'zn.question');
  return { btid, nafFqdn, uaProtocolId: fromHex(uaProtocolId) };
}

/** @param key undefined when the BSF knows no such B-TID. */
export function encodeZnAnswer(key: NafKey | undefined): Uint8Array {
  if (key === undefined) return utf8(JSON.stringify({ known: false }));
  const { privateIdentity, identities, bootstrappedAt, validUntil } = key;
  return utf8(
    JSON.stringify({
      known: true,
      privateIdentity,
      identities,
      bootstrappedAt: new Date(bootstrappedAt).toISOString(),
      validUntil: new Date(validUntil).toISOString(),
      ksNaf: key.key.use(toBase64),
    }),
  );
}

/** Undefined when the BSF knows no such B-TID. @throws ProtocolError `malformed` that names the field, never its value. */
export function decodeZnAnswer(body: Uint8Array): NafKey | undefined {
  const answer = decode(answerSchema, body, 'zn.answer');
  if (!answer.known) return undefined;
  const { privateIdentity, identities, ksNaf, bootstrappedAt, validUntil } = answer;
  const octets = fromBase64(ksNaf, 'zn.answer.ksNaf');
  const key = new SecretBytes(octets);
  octets.fill(0);
  return {
    privateIdentity,
    identities,
    key,
    bootstrappedAt: Date.parse(bootstrappedAt),
    validUntil: Date.parse(validUntil),
  };
}

function decode<T>(schema: z.ZodType<T>, body: Uint8Array, field: string): T {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(body, field));
  } catch {
    // The parser's own words quote what it read, which may be a key.
    throw new ProtocolError('malformed', 'not JSON', { field, expected: 'a JSON object' });
  }
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  const path = checked.error.issues[0]?.path.map(String).join('.') ?? '';
  throw new ProtocolError('malformed', 'missing or wrong', {
    field: path === '' ? field : `${field}.${path}`,
    expected: 'the form of docs/gba.md',
  });
}
