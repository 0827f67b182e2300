import { ByteReader } from '../../base/byte-reader.ts';
import { ByteWriter } from '../../base/byte-writer.ts';
import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { ticketOfPolicy } from './granted-ticket.ts';
import type { MikeyIdentity } from './identity.ts';
import { decodeTicket, encodeKeyData, encodeTicket } from './ticket-codec.ts';
import { mpkData, readKeyList, suppliedKeyData, ticketKey } from './ticket-keys.ts';
import { readPolicy } from './ticket-policy.ts';
import type { GrantedTicket, TicketKey } from './types.ts';

/*
 *  A granted ticket at rest, always inside something that enciphers it:
 *
 *  version (1) | initiator | kms | ticket | keys     each a length (4) and octets; an identity begins with its type (1)
 *
 *  Life, flags, responders and rekeying are not stored beside the ticket: they are read from the ticket itself each time.
 *  Keys are a chain of Key Data sub-payloads as in a KEMAC, MPKi and MPKr first (reading [A8]).
 */
const version = 1;
const identityTypes = ['nai', 'uri', 'bytes'] as const;
/** The names of MPKs are not kept by whoever was granted the ticket: nothing refers to them. */
const namelessMpk = new Uint8Array(4);

/** The result holds keys: whoever asked for it wipes it. */
export function encodeGrantedTicket(ticket: GrantedTicket): Uint8Array {
  const mpks = [ticket.mpki, ...(ticket.mpkr === undefined ? [] : [ticket.mpkr])];
  const keys = encodeKeyData([
    ...mpks.map((mpk) => mpk.use((octets) => mpkData(Uint8Array.from(octets), namelessMpk))),
    ...ticket.keys.map(suppliedKeyData),
  ]);
  const writer = new ByteWriter().u8(version);
  for (const part of [identity(ticket.initiator), identity(ticket.kms), encodeTicket(ticket.ticketPayload), keys]) {
    writer.u32(part.length).bytes(part);
  }
  const stored = writer.finish();
  keys.fill(0);
  return stored;
}

/**
 * Keeps nothing of `bytes`, which the caller may wipe.
 * @param now for tickets that count instead of telling their time.
 * @throws ProtocolError when it is no such ticket.
 */
export function decodeGrantedTicket(bytes: Uint8Array, now: number): GrantedTicket {
  const reader = new ByteReader(bytes);
  const found = reader.u8('storedTicket.version');
  if (found !== version) {
    throw new ProtocolError('unsupported', `version ${found}`, {
      field: 'storedTicket.version',
      expected: `${version}`,
    });
  }
  const part = (field: string): ByteReader => reader.sub(reader.u32(`${field}.length`), field);
  const initiator = readIdentity(part('storedTicket.initiator'));
  const kms = readIdentity(part('storedTicket.kms'));
  const ticketPayload = decodeTicket(Uint8Array.from(part('storedTicket.ticket').rest()));
  const keyData = part('storedTicket.keys').rest();
  reader.expectEnd('storedTicket');
  const policy = readPolicy(ticketPayload.policy);
  const list = readKeyList(keyData, policy.flags.I ? 2 : 1, policy.suite);
  const [mpki, mpkr] = list.mpks;
  return {
    ...ticketOfPolicy(policy, ticketPayload, now),
    initiator,
    kms,
    mpki: new SecretBytes(mpki.key),
    ...(mpkr === undefined ? {} : { mpkr: new SecretBytes(mpkr.key) }),
    keys: list.keys.map(ticketKey).map(ownName),
  };
}

/** Whoever gave the stored form wipes it: nothing may look into it any more. */
function ownName(key: TicketKey): TicketKey {
  const salt = key.salt === undefined ? {} : { salt: Uint8Array.from(key.salt) };
  return { ...key, ...salt, spi: Uint8Array.from(key.spi) };
}

function identity({ type, data }: MikeyIdentity): Uint8Array {
  return new ByteWriter().u8(identityTypes.indexOf(type)).bytes(data).finish();
}

function readIdentity(reader: ByteReader): MikeyIdentity {
  const type = identityTypes[reader.u8('storedTicket.identity.type')];
  if (type === undefined) reader.fail('storedTicket.identity.type', 'unknown', '0 to 2');
  return { type, data: Uint8Array.from(reader.rest()) };
}
