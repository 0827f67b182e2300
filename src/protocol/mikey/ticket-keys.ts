import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { keyType, mikeyError } from './code-points.ts';
import { derivation, deriveKey, forkLabel, sessionLabel, type ExchangeRands } from './derivation.ts';
import type { KeyDataPayload } from './payloads.ts';
import type { SuiteParameters } from './protection.ts';
import { decodeKeyData } from './ticket-codec.ts';
import type { KeyInterval, KeyKind, TicketKey } from './key-types.ts';

const minKeyOctets = 16;
const maxKeyOctets = 64;
const maxSaltOctets = 64;

const kinds: Readonly<Record<number, KeyKind>> = { 0: 'TGK', 1: 'TGK', 2: 'TEK', 3: 'TEK', 4: 'GTGK', 5: 'GTGK' };
const plainTypes: Readonly<Record<KeyKind, number>> = {
  TGK: keyType.tgk,
  TEK: keyType.tek,
  GTGK: keyType.gtgk,
};

/** What a decrypted KEMAC of REQUEST_RESP, RESOLVE_RESP or a ticket holds. */
export interface KeyList {
  /** MPK of a ticket; MPKi and, with forking, MPKr of an answer (reading [A8]). */
  readonly mpks: readonly [KeyDataPayload, ...KeyDataPayload[]];
  readonly keys: readonly KeyDataPayload[];
}

function refuse(problem: string, expected: string): never {
  throw new ProtocolError('peer-misbehaved', problem, {
    field: 'mikey.KEMAC.keys',
    expected,
    hint: { mikey: mikeyError.unspecified },
  });
}

/**
 * Readings [A17] and [A33], RFC 6043 6.2.1 and 12.1: every key is named, long enough, and not stronger than its cover.
 * @param intervals takes an interval in the place of an SPI.
 */
function checkKey(
  { keyType: type, key, salt, validity }: KeyDataPayload,
  cover: SuiteParameters,
  intervals = false,
): void {
  if (type > keyType.mpk) refuse(`key type ${type}`, 'TGK, TEK, GTGK or MPK');
  const named = validity.kind === 'spi' ? validity.spi.length > 0 : intervals && validity.kind === 'interval';
  if (!named) refuse('key without SPI', 'an SPI for every key');
  if (salt !== undefined && salt.length > maxSaltOctets) refuse('salt length', `at most ${maxSaltOctets} octets`);
  if (key.length < minKeyOctets || key.length > maxKeyOctets) refuse('key length', '16 to 64 octets');
  if (type !== keyType.mpk && cover.name === '128' && key.length > minKeyOctets) {
    refuse('a long key under short algorithms', 'the 256-bit algorithms');
  }
}

/** Reading [A8]: MPKs stand first. @throws ProtocolError `peer-misbehaved` unless exactly `mpkCount` MPKs open the list. */
export function readKeyList(plaintext: Uint8Array, mpkCount: number, cover: SuiteParameters): KeyList {
  const all = decodeKeyData(plaintext) as readonly KeyDataPayload[];
  for (const key of all) checkKey(key, cover);
  const [mpki, ...more] = all.slice(0, mpkCount);
  const keys = all.slice(mpkCount);
  if (
    mpki === undefined ||
    more.length + 1 < mpkCount ||
    [mpki, ...more].some(({ keyType: type }) => type !== keyType.mpk)
  ) {
    return refuse('MPK missing', `${mpkCount} MPK first`);
  }
  if (keys.some(({ keyType: type }) => type === keyType.mpk)) refuse('too many MPKs', `${mpkCount} MPK`);
  return { mpks: [mpki, ...more], keys };
}

/** The keys of a KEMAC in the Ticket Transfer or a CSB update: no MPK among them (RFC 6043 5.2), at least one key. */
export function readSuppliedKeys(plaintext: Uint8Array, cover: SuiteParameters, intervals: boolean): KeyDataPayload[] {
  const all = decodeKeyData(plaintext) as readonly KeyDataPayload[];
  for (const key of all) {
    checkKey(key, cover, intervals);
    if (key.keyType === keyType.mpk) refuse('an MPK among session keys', 'TGK, TEK or GTGK');
  }
  return [...all];
}

export function spiOf({ validity }: KeyDataPayload): Uint8Array {
  return validity.kind === 'spi' ? validity.spi : refuse('key without SPI', 'an SPI for every key');
}

export function mpkData(key: Uint8Array, spi: Uint8Array): KeyDataPayload {
  return { payload: 'KEY_DATA', keyType: keyType.mpk, key, validity: { kind: 'spi', spi } };
}

export function keyData(kind: KeyKind, key: Uint8Array, spi: Uint8Array, salt?: Uint8Array): KeyDataPayload {
  const plain = { payload: 'KEY_DATA', keyType: plainTypes[kind], key, validity: { kind: 'spi', spi } } as const;
  // The type with SALT is the next number of each pair (RFC 3830 6.13, RFC 6043 6.2.1).
  return salt === undefined ? plain : { ...plain, keyType: plain.keyType + 1, salt };
}

/** What a key that we supply looks like in a KEMAC. */
export function suppliedKeyData({ kind, key, spi, salt, interval }: TicketKey): KeyDataPayload {
  const data = key.use((octets) => keyData(kind, Uint8Array.from(octets), spi, salt));
  return interval === undefined ? data : { ...data, validity: { kind: 'interval', ...interval } };
}

export function kindOf({ keyType: type }: KeyDataPayload): KeyKind {
  return kinds[type] ?? refuse(`key type ${type}`, 'TGK, TEK or GTGK');
}

export function ticketKey(data: KeyDataPayload): TicketKey {
  const salt = data.salt === undefined ? {} : { salt: data.salt };
  const { validity } = data;
  const named =
    validity.kind === 'interval'
      ? { spi: new Uint8Array(), interval: { validFrom: validity.validFrom, validTo: validity.validTo } }
      : { spi: spiOf(data) };
  return { kind: kindOf(data), key: new SecretBytes(data.key), ...salt, ...named };
}

/** Keys of their own for a new holder, which may wipe them. */
export function copyKeys(keys: readonly TicketKey[]): readonly TicketKey[] {
  return keys.map((key) => ({ ...key, key: key.key.use((octets) => new SecretBytes(octets)) }));
}

/** What makes each endpoint's keys its own: who answered and the KMS's random value (RFC 6043 5.1.1). */
export interface ForkModifier {
  /** ID Data of the endpoint that answered. */
  readonly responder: Uint8Array;
  readonly kmsRand: Uint8Array;
}

/** MPKr', as long as MPKr. */
export function forkMpkr(prf: number, mpkr: Uint8Array, { responder, kmsRand }: ForkModifier): Uint8Array {
  return deriveKey(prf, mpkr, forkLabel(derivation.forkedMpkr, responder, kmsRand), mpkr.length * 8);
}

/** TGK', as long as TGK. */
export function forkTgk(prf: number, tgk: Uint8Array, { responder, kmsRand }: ForkModifier): Uint8Array {
  return deriveKey(prf, tgk, forkLabel(derivation.forkedTgk, responder, kmsRand), tgk.length * 8);
}

/** Only TGKs fork; reading [A9]: SPI and SALT stay. */
export function forkKeyData(prf: number, data: KeyDataPayload, modifier: ForkModifier): KeyDataPayload {
  return kindOf(data) === 'TGK' ? { ...data, key: forkTgk(prf, data.key, modifier) } : data;
}

/**
 * The TEK of one crypto session (RFC 6043 5.1.3), from a key that is forked already where it has to be.
 * A TEK in the ticket is used as it is.
 */
export function sessionTek(
  suite: SuiteParameters,
  kind: KeyKind,
  key: Uint8Array,
  csId: number,
  rands: ExchangeRands,
): Uint8Array {
  if (kind === 'TEK') return key;
  return deriveKey(suite.prf, key, sessionLabel(derivation.tekFromTgk, csId, rands), suite.keyBits);
}

/**
 * The master salt of one crypto session: the SALT that came with the key, a derived one for a TGK or GTGK, and none for a TEK
 * without SALT (RFC 6043 5.1.3, reading [A36]).
 */
export function sessionSalt(
  suite: SuiteParameters,
  { kind, salt }: Pick<TicketKey, 'kind' | 'salt'>,
  key: Uint8Array,
  csId: number,
  rands: ExchangeRands,
  bits: number,
): Uint8Array {
  if (salt !== undefined) return salt;
  if (kind === 'TEK') return new Uint8Array();
  return deriveKey(suite.prf, key, sessionLabel(derivation.saltFromTgk, csId, rands), bits);
}

const positionOf = (octets: Uint8Array): bigint => octets.reduce((value, octet) => value * 256n + BigInt(octet), 0n);

/** Where the life of a key with an interval begins. */
export function intervalStart({ validFrom }: KeyInterval): bigint {
  return positionOf(validFrom);
}

/** True where a key may be used at a position of the security protocol, such as SRTP's packet index (RFC 3830 6.14). */
export function isInInterval({ validFrom, validTo }: KeyInterval, position: bigint): boolean {
  return position >= positionOf(validFrom) && position <= positionOf(validTo);
}

/** Reading [A36]: a session takes the first key of its SPI; one that names none takes the first key. */
export function keyForSession<Key extends { readonly spi: Uint8Array }>(
  keys: readonly Key[],
  spi: Uint8Array,
): Key | undefined {
  if (spi.length === 0) return keys[0];
  return keys.find((key) => key.spi.length === spi.length && key.spi.every((octet, index) => octet === spi[index]));
}
