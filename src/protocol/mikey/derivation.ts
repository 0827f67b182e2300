import { ByteWriter } from '../../base/byte-writer.ts';
import { concatBytes } from '../../base/bytes.ts';
import { keyedHmacSha1, keyedHmacSha256 } from '../../crypto/digest.ts';
import { prfFunction } from './code-points.ts';

/** Constants of RFC 3830 4.1.3 and 4.1.4, RFC 6043 5.1.1 and A.2.2: groups of the decimals of e. */
export const derivation = {
  tekFromTgk: 0x2ad01c64,
  saltFromTgk: 0x39a2c14b,
  encryption: 0x150533e1,
  authentication: 0x2d22ac75,
  salt: 0x29b88916,
  forkedMpkr: 0x2b288856,
  forkedTgk: 0x1512b54a,
  mpki: 0x220e99a2,
  mpkr: 0x1f4d675b,
} as const;

const blockOctets = 32;

/**
 * The PRF of RFC 3830 4.1.2, with HMAC-SHA-1 or (RFC 6043 6.1) HMAC-SHA-256.
 * The key is cut into blocks of 256 bits for both.
 * @param prf 0 or 1; anything else is refused long before.
 */
export function deriveKey(prf: number, key: Uint8Array, label: Uint8Array, bits: number): Uint8Array {
  const keyedHmac = prf === prfFunction.hmacSha256 ? keyedHmacSha256 : keyedHmacSha1;
  const octets = Math.ceil(bits / 8);
  const out = new Uint8Array(octets);
  for (let offset = 0; offset < key.length; offset += blockOctets) {
    const hmac = keyedHmac(key.subarray(offset, offset + blockOctets));
    let chained = label;
    for (let filled = 0; filled < octets;) {
      chained = hmac(chained);
      for (const octet of hmac(chained, label).subarray(0, octets - filled)) {
        out[filled] = (out[filled] ?? 0) ^ octet;
        filled++;
      }
    }
  }
  return out;
}

const everyCs = 0xff;
const everyCsb = 0xffffffff;

const randField = (writer: ByteWriter, rand: Uint8Array | undefined): ByteWriter =>
  writer.u8(rand?.length ?? 0).bytes(rand ?? new Uint8Array());

/** The random values of an exchange; an absent one enters a label as length 0. */
export interface ExchangeRands {
  readonly initiator?: Uint8Array;
  readonly responder?: Uint8Array;
}

/** RANDRs that enter the keys of a session by the flags G and H (RFC 6043 5.1.3). */
export function sessionRands(flags: { readonly G: boolean; readonly H: boolean }, rands: ExchangeRands): ExchangeRands {
  return {
    ...(flags.H && rands.initiator !== undefined ? { initiator: rands.initiator } : {}),
    ...(flags.G && rands.responder !== undefined ? { responder: rands.responder } : {}),
  };
}

export type MessageOrder = 'initial' | 'response';

/** Label of a key that protects a message (RFC 6043 5.1.2). */
export function messageLabel(constant: number, csbId: number, order: MessageOrder, rands: ExchangeRands): Uint8Array {
  const writer = new ByteWriter()
    .u32(constant)
    .u8(everyCs)
    .u32(csbId)
    .u8(order === 'initial' ? 1 : 2);
  return randField(randField(writer, rands.initiator), rands.responder).finish();
}

/** Label of MPKr' and TGK' (RFC 6043 5.1.1). `responder` is ID Data alone. */
export function forkLabel(constant: number, responder: Uint8Array, kmsRand: Uint8Array): Uint8Array {
  const writer = new ByteWriter().u32(constant).u8(everyCs).u32(everyCsb).u8(0).u16(responder.length).bytes(responder);
  return randField(writer, kmsRand).finish();
}

/** Label of a key made from a TGK or GTGK for one crypto session (RFC 6043 5.1.3). */
export function sessionLabel(constant: number, csId: number, rands: ExchangeRands): Uint8Array {
  const writer = new ByteWriter().u32(constant).u8(csId).u32(everyCsb).u8(3);
  return randField(randField(writer, rands.initiator), rands.responder).finish();
}

/** Label of the key that authenticates Initiator Data under MPKr (RFC 6043 6.10). */
export function initiatorDataLabel(): Uint8Array {
  return new ByteWriter().u32(derivation.authentication).u8(everyCs).u32(everyCsb).u8(4).finish();
}

/** Label of keys made from the TPK (5) or of MPKi and MPKr made from the MPK (6) (RFC 6043 A.2). */
export function ticketLabel(constant: number, source: 'tpk' | 'mpk', rand: Uint8Array): Uint8Array {
  const writer = new ByteWriter()
    .u32(constant)
    .u8(everyCs)
    .u32(everyCsb)
    .u8(source === 'tpk' ? 5 : 6);
  return randField(writer, rand).finish();
}

/** Initial counter block of AES-CM: (salt XOR (0000 || CSB ID || T)) || 0000 (RFC 3830 4.2.3). */
export function counterModeIv(salt: Uint8Array, csbId: number, timestamp: Uint8Array): Uint8Array {
  const mask = concatBytes(new ByteWriter().u16(0).u32(csbId).finish(), timestamp);
  const iv = new Uint8Array(16);
  iv.set(mask.map((octet, index) => octet ^ (salt[index] ?? 0)));
  return iv;
}

/** CSB ID that stands for "none" where a ticket is enciphered. */
export const ticketCsbId = everyCsb;
