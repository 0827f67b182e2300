import { describe, expect, it } from 'vitest';

import { fromHex, toHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { aesCtr, aesKeyUnwrapWithIv, aesKeyWrapWithIv } from '../../../src/crypto/aes.ts';
import { hmacSha1 } from '../../../src/crypto/digest.ts';
import {
  counterModeIv,
  derivation,
  deriveKey,
  forkLabel,
  initiatorDataLabel,
  messageLabel,
  sessionLabel,
  ticketLabel,
} from '../../../src/protocol/mikey/derivation.ts';
import { readErrorMessage } from '../../../src/protocol/mikey/index.ts';
import { decodeMessage } from '../../../src/protocol/mikey/message.ts';
import { messageKeys, openKemac, suites, type ProtectionKeys } from '../../../src/protocol/mikey/protection.ts';
import { decodeKeyData } from '../../../src/protocol/mikey/ticket-codec.ts';
import { forkMpkr, forkTgk, sessionTek } from '../../../src/protocol/mikey/ticket-keys.ts';
import { splitMpk } from '../../../src/protocol/mikey/base-ticket.ts';
import { timestampForIv } from '../../../src/protocol/mikey/timestamp.ts';
import { hex, vectors } from './vectors.ts';

const { unit } = vectors;

it.each(unit.prf)('PRF $prf makes $outkey_bits bits', ({ prf, inkey, label, outkey_bits, outkey }) => {
  expect(toHex(deriveKey(prf, fromHex(inkey), fromHex(label), outkey_bits))).toBe(outkey);
});

it.each(unit.aes_cm)('AES-CM makes IV $iv', ({ encr_key, salt_key, csb_id, t, iv, plain, cipher }) => {
  const made = counterModeIv(fromHex(salt_key), csb_id, fromHex(t));
  expect(toHex(made)).toBe(iv);
  expect(toHex(aesCtr(fromHex(encr_key), made, fromHex(plain)))).toBe(cipher);
});

it.each(unit.aes_kw_128)('AES-KW wraps and unwraps under the salt key', ({ encr_key, salt_key, plain, cipher }) => {
  expect(toHex(aesKeyWrapWithIv(fromHex(encr_key), fromHex(salt_key), fromHex(plain)))).toBe(cipher);
  expect(toHex(aesKeyUnwrapWithIv(fromHex(encr_key), fromHex(salt_key), fromHex(cipher)))).toBe(plain);
});

it('makes every label', () => {
  const { labels } = unit;
  const rand = hex(labels['randr_i']);
  const other = hex(labels['randr_r']);
  const responder = hex(labels['id_data']);
  const both = { initiator: rand, responder: other };
  const made: Record<string, Uint8Array> = {
    fork_mpkr: forkLabel(derivation.forkedMpkr, responder, rand),
    fork_tgk: forkLabel(derivation.forkedTgk, responder, rand),
    message_auth_initial_ri: messageLabel(derivation.authentication, labels.csb_id, 'initial', { initiator: rand }),
    message_encr_response_rr: messageLabel(derivation.encryption, labels.csb_id, 'response', { responder: other }),
    message_salt_response_both: messageLabel(derivation.salt, labels.csb_id, 'response', both),
    tgk_tek_both: sessionLabel(derivation.tekFromTgk, labels.cs_id, both),
    tgk_salt_rr_only: sessionLabel(derivation.saltFromTgk, labels.cs_id, { responder: other }),
    initiator_data_auth: initiatorDataLabel(),
    tpk_auth: ticketLabel(derivation.authentication, 'tpk', rand),
    mpk_mpki: ticketLabel(derivation.mpki, 'mpk', rand),
    mpk_mpkr: ticketLabel(derivation.mpkr, 'mpk', rand),
  };
  for (const [name, label] of Object.entries(made)) expect([name, toHex(label)]).toEqual([name, labels[name]]);
});

describe('error messages', () => {
  const [plain, authentic] = unit.error_messages;
  const keys = (authKey: string): ProtectionKeys => ({
    suite: suites['128'],
    authentication: () => fromHex(authKey),
    encryption: () => new Uint8Array(),
    salt: () => new Uint8Array(),
  });

  it('reads one that nobody vouches for', () => {
    expect(readErrorMessage(hex(plain!.message))).toEqual({
      csbId: 0x01020304,
      errorNumbers: [15],
      authenticated: false,
    });
  });

  it('verifies one with V, under the right key only', () => {
    const message = hex(authentic!.message);
    expect(readErrorMessage(message, keys(authentic!.auth_key!))).toMatchObject({ authenticated: true });
    expect(() => readErrorMessage(message, keys('00'.repeat(20)))).toThrow(/authentication failed/);
  });
});

it('reads the RFC 3830 message: same PRF, IV and key data, older label', () => {
  const { rfc3830_psk: old } = unit;
  const message = decodeMessage(hex(old['message']));
  const rand = message.payloads.find((payload) => payload.payload === 'RAND')!.value;
  // RFC 3830 4.1.4: const || 0xFF || csb_id || RAND, without lengths.
  const label = (constant: string): Uint8Array =>
    fromHex(`${constant}ff${old.csb_id.toString(16).padStart(8, '0')}${toHex(rand)}`);
  const derive = (constant: string, bits: number): Uint8Array => deriveKey(0, hex(old['psk']), label(constant), bits);
  expect(toHex(derive('150533e1', 128))).toBe(old['encr_key']);
  expect(toHex(derive('29b88916', 112))).toBe(old['salt_key']);
  expect(toHex(derive('2d22ac75', 160))).toBe(old['auth_key']);
  const kemac = message.payloads.find((payload) => payload.payload === 'KEMAC')!;
  const timestamp = message.payloads.find((payload) => payload.payload === 'T')!;
  const iv = counterModeIv(hex(old['salt_key']), old.csb_id, timestampForIv(timestamp));
  const plaintext = aesCtr(hex(old['encr_key']), iv, kemac.data);
  expect(decodeKeyData(plaintext)).toMatchObject([{ key: hex(old['tgk']) }]);
  const mac = hmacSha1(hex(old['auth_key']), message.bytes.subarray(0, message.bytes.length - 20));
  expect(toHex(mac)).toBe(toHex(kemac.mac));
});

it('opens a KEMAC under AES-KW-128 too, but only with the 128-bit algorithms', () => {
  const [vector] = unit.aes_kw_128;
  const keys = (name: '128' | '256'): ProtectionKeys => ({
    suite: suites[name],
    authentication: () => new Uint8Array(),
    encryption: () => hex(vector!.encr_key),
    salt: () => hex(vector!.salt_key),
  });
  const kemac = {
    payload: 'KEMAC',
    encryption: 2,
    data: hex(vector!.cipher),
    macAlgorithm: 0,
    mac: new Uint8Array(),
  } as const;
  const timestamp = { payload: 'T', timestampType: 0, value: new Uint8Array(8) } as const;
  expect(toHex(openKemac(kemac, keys('128'), 1, timestamp))).toBe(vector!.plain);
  expect(() => openKemac(kemac, keys('256'), 1, timestamp)).toThrow(/encryption algorithm/);
});

describe('values of the messaging profile', () => {
  const sequence = (length: number, start: number): Uint8Array =>
    Uint8Array.from({ length }, (_, index) => (start + index) % 256);
  const suite = suites['256'];
  const csbId = 0x01020304;
  const psk = new SecretBytes(sequence(32, 0x00));
  const initiator = sequence(32, 0x40);
  const responder = sequence(32, 0x80);
  const modifier = { responder: utf8('sip:bob@example.com'), kmsRand: sequence(32, 0xc0) };
  const tgk = sequence(32, 0x20);
  const { mpki, mpkr } = splitMpk(1, sequence(32, 0x60), sequence(32, 0xa0));

  it('protects the request and its answer', () => {
    expect(toHex(messageKeys(suite, psk, csbId, 'initial', { initiator }).authentication())).toBe(
      '568e67a4d47deb52939079f6313bb0fbec52e70baf31d856cceacdbfb0604d26',
    );
    const keys = messageKeys(suite, psk, csbId, 'response', { initiator });
    expect(toHex(keys.authentication())).toBe('8536653130d0cf2d7faf85b9c29f074fe7dacd7213ad533085d448af08971f08');
    expect(toHex(keys.encryption())).toBe('3080a6fdc64b2c5a53e7d7ea7804890a56f42f60df863fff372ac9ea13153f8c');
    expect(toHex(keys.salt(112))).toBe('fdc2833febb854f6590c69012633');
  });

  it('splits, forks and derives', () => {
    expect(toHex(mpki)).toBe('1e91612261e5026b724a9cda8d459148113ad7a4dcfd3d23a694719b6fba134a');
    expect(toHex(mpkr)).toBe('fab60fdb37b9e56aa9efa4c6574ad4769390dd1eddb4d789974cf90ff60025b3');
    const forkedMpkr = forkMpkr(1, mpkr, modifier);
    const forkedTgk = forkTgk(1, tgk, modifier);
    expect(toHex(forkedMpkr)).toBe('75c2cd78b4dd74ed5c1f1934f7a9cc2a66f13dfb6ca0b2e159e8fd7c61c07c69');
    expect(toHex(forkedTgk)).toBe('5dfdcd5f86fc918a90d00e9d45ea453fb9492af87bfa9e2712226ed437bfc553');
    const init = messageKeys(suite, new SecretBytes(mpki), csbId, 'initial', { initiator });
    expect(toHex(init.authentication())).toBe('5275c02753703ef1fcc4fd0adb2e2dda3fb0d9aae512317ab96b6734b4ac4d2b');
    const answer = messageKeys(suite, new SecretBytes(forkedMpkr), csbId, 'response', { initiator, responder });
    expect(toHex(answer.authentication())).toBe('54958d4c9f9ee9f03238fade7c6c916fc10ea0df54cf765d20ef1d425e45645b');
    expect(toHex(sessionTek(suite, 'TGK', forkedTgk, 1, { initiator, responder }))).toBe(
      '9eee4feafe1e1be8e87c991bcf7e3d5931f958b7c0a7fbc9390dea20bc23c00c',
    );
    expect(toHex(sessionTek(suite, 'GTGK', tgk, 1, { initiator }))).toBe(
      '98c17eda7cd96021bd40ae652402e1c01e9b85e17ae9005bb635c371f0066fda',
    );
    expect(toHex(deriveKey(1, mpkr, initiatorDataLabel(), 256))).toBe(
      '9165a6b0f738d124b12df83fb920a62c16d09681c5889fbfc4490a3844073d08',
    );
  });
});
