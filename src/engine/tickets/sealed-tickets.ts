import { ByteReader } from '../../base/byte-reader.ts';
import { ByteWriter } from '../../base/byte-writer.ts';
import { equalBytes, fromUtf8, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { aesGcmOpen, aesGcmSeal } from '../../crypto/aes.ts';
import { keyFromPassphrase } from '../../crypto/passphrase.ts';
import { decodeGrantedTicket, encodeGrantedTicket, type GrantedTicket } from '../../protocol/mikey/index.ts';
import { limits } from '../limits.ts';
import type { TicketStoreKey } from '../ports.ts';
import type { CacheEntry, TicketKind } from './ticket-cache.ts';

/*
 *  The file of an account's tickets:
 *
 *  "tessera" and the version (8) | key (1) | salt (16) | nonce (12) | AES-256-GCM ciphertext | tag (16)
 *
 *  key: 0 a key as it is, 1 scrypt over a passphrase and the salt. All that stands before the ciphertext is authenticated with it.
 *  Deciphered:  binding (32) | the KMS's time (8) | number (2) | kind (1), recipient, ticket, each with its length (2 and 4), ...
 */
const magic = utf8('tessera\u0001');
const saltOctets = 16;
const nonceOctets = 12;
const tagOctets = 16;
const headOctets = magic.length + 1 + saltOctets + nonceOctets;
const bindingOctets = 32;
const kinds: readonly TicketKind[] = ['message', 'session'];

/** Longest file that is read. */
export const maxSealedOctets = limits.cachedTicketOctets + 64 * limits.cachedTickets + 1024;

export interface TicketBundle {
  /** What the tickets belong to: 32 octets made of account and credential. */
  readonly binding: Uint8Array;
  /** The last time that the KMS proved, milliseconds since 1970; 0 for none. */
  readonly kmsTime: number;
  /** The longest unused first. */
  readonly entries: readonly CacheEntry<GrantedTicket>[];
}

/** The key in use, made once for a passphrase; the salt belongs to it. */
export interface SealingKey {
  readonly key: SecretBytes;
  readonly salt: Uint8Array;
  readonly isDerived: boolean;
}

/** @param salt of the file that is there; a fresh one when absent. */
export async function sealingKey(source: TicketStoreKey, random: Random, salt?: Uint8Array): Promise<SealingKey> {
  if (source.kind === 'key') return { key: source.key, salt: new Uint8Array(saltOctets), isDerived: false };
  const used = salt ?? random.bytes(saltOctets);
  // The passphrase is lent for one call only, and the derivation outlasts it.
  const passphrase = source.passphrase.use((octets) => Uint8Array.from(octets));
  const derived = await keyFromPassphrase(passphrase, used);
  passphrase.fill(0);
  const key = new SecretBytes(derived);
  derived.fill(0);
  return { key, salt: used, isDerived: true };
}

/** @throws ProtocolError unless it begins as a file of ours does. */
export function saltOf(sealed: Uint8Array): Uint8Array {
  const reader = new ByteReader(sealed);
  if (!equalBytes(reader.bytes(magic.length, 'ticketFile.magic'), magic)) {
    throw new ProtocolError('unsupported', 'not a file of tickets of this version', {
      field: 'ticketFile.magic',
      offset: 0,
    });
  }
  reader.u8('ticketFile.key');
  return Uint8Array.from(reader.bytes(saltOctets, 'ticketFile.salt'));
}

export function sealTickets(bundle: TicketBundle, { key, salt, isDerived }: SealingKey, random: Random): Uint8Array {
  const nonce = random.bytes(nonceOctets);
  const head = new ByteWriter()
    .bytes(magic)
    .u8(isDerived ? 1 : 0)
    .bytes(salt)
    .bytes(nonce)
    .finish();
  const content = encodeBundle(bundle);
  const { ciphertext, tag } = key.use((octets) => aesGcmSeal(octets, nonce, content, head));
  content.fill(0);
  return new ByteWriter().bytes(head).bytes(ciphertext).bytes(tag).finish();
}

/** @throws ProtocolError when it was damaged, made with another key or is no such file. */
export function openTickets(sealed: Uint8Array, { key, isDerived }: SealingKey, now: number): TicketBundle {
  const reader = new ByteReader(sealed);
  const head = reader.bytes(headOctets, 'ticketFile.head');
  if (head[magic.length] !== (isDerived ? 1 : 0)) {
    throw new ProtocolError('unsupported', 'another kind of key', { field: 'ticketFile.key', offset: magic.length });
  }
  if (reader.remaining < tagOctets) reader.fail('ticketFile.tag', 'missing', `${tagOctets} octets`);
  const ciphertext = reader.bytes(reader.remaining - tagOctets, 'ticketFile.ciphertext');
  const tag = reader.rest();
  const nonce = head.subarray(headOctets - nonceOctets);
  const content = key.use((octets) => aesGcmOpen(octets, nonce, ciphertext, tag, head));
  try {
    return decodeBundle(content, now);
  } finally {
    content.fill(0);
  }
}

function encodeBundle({ binding, kmsTime, entries }: TicketBundle): Uint8Array {
  const writer = new ByteWriter()
    .bytes(binding)
    .u64(BigInt(Math.trunc(kmsTime)))
    .u16(entries.length);
  const parts: Uint8Array[] = [];
  for (const { kind, recipient, ticket } of entries) {
    const name = utf8(recipient);
    const encoded = encodeGrantedTicket(ticket);
    writer.u8(kinds.indexOf(kind)).u16(name.length).bytes(name).u32(encoded.length).bytes(encoded);
    parts.push(encoded);
  }
  // The writer holds on to its parts until it is finished.
  const content = writer.finish();
  for (const part of parts) part.fill(0);
  return content;
}

function decodeBundle(content: Uint8Array, now: number): TicketBundle {
  const reader = new ByteReader(content);
  const binding = Uint8Array.from(reader.bytes(bindingOctets, 'ticketFile.binding'));
  const kmsTime = Number(reader.u64('ticketFile.kmsTime'));
  const count = reader.u16('ticketFile.count');
  const entries: CacheEntry<GrantedTicket>[] = [];
  for (let index = 0; index < count; index++) {
    const kind = kinds[reader.u8('ticketFile.kind')];
    if (kind === undefined) return reader.fail('ticketFile.kind', 'unknown', '0 or 1');
    const recipient = fromUtf8(reader.bytes(reader.u16('ticketFile.recipient.length'), 'ticketFile.recipient'));
    const ticket = reader.bytes(reader.u32('ticketFile.ticket.length'), 'ticketFile.ticket');
    entries.push({ kind, recipient, ticket: decodeGrantedTicket(ticket, now) });
  }
  reader.expectEnd('ticketFile');
  return { binding, kmsTime, entries };
}
