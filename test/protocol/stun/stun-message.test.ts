import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import {
  decodeStun,
  encodeStun,
  isAnswerTo,
  looksLikeStun,
  type StunMessage,
} from '../../../src/protocol/stun/index.ts';

const hex = (text: string): Uint8Array => fromHex(text.replace(/\s/g, ''));
const transactionId = hex('b7e7a701bc34d686fa87dfae');

/** RFC 5769 2.2. */
const ipv4Answer = hex(`
  0101003c 2112a442 b7e7a701 bc34d686 fa87dfae
  8022000b 74657374 20766563 746f7220
  00200008 0001a147 e112a643
  00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7
  80280004 c07d4c96`);
/** RFC 5769 2.3. */
const ipv6Answer = hex(`
  01010048 2112a442 b7e7a701 bc34d686 fa87dfae
  8022000b 74657374 20766563 746f7220
  00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9
  00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41
  80280004 c8fb0b4c`);

describe('STUN Binding', () => {
  it.each([
    ['IPv4', ipv4Answer, '192.0.2.1'],
    ['IPv6', ipv6Answer, '2001:db8:1234:5678:11:2233:4455:6677'],
  ])('reads the answer of RFC 5769 for %s', (_, datagram, host) => {
    expect(decodeStun(datagram)).toEqual({ kind: 'success', transactionId, mapped: { host, port: 32853 } });
  });

  it('notices one changed octet by the fingerprint', () => {
    const changed = Uint8Array.from(ipv4Answer);
    changed[30] = (changed[30] ?? 0) ^ 1;
    expect(() => decodeStun(changed)).toThrow(expect.objectContaining({ field: 'stun.FINGERPRINT' }));
  });

  it('writes a request without attributes, or with a fingerprint', () => {
    const request: StunMessage = { kind: 'request', transactionId };
    expect(toHex(encodeStun(request))).toBe(`000100002112a442${toHex(transactionId)}`);
    const marked = encodeStun(request, true);
    expect(marked).toHaveLength(28);
    expect(decodeStun(marked)).toEqual(request);
  });

  it('gives back what it wrote', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16));
    const host = fc.oneof(
      fc.array(octet, { minLength: 4, maxLength: 4 }).map((octets) => octets.join('.')),
      fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(':')),
    );
    const id = fc.uint8Array({ minLength: 12, maxLength: 12 });
    const message: fc.Arbitrary<StunMessage> = fc.oneof(
      id.map((transactionId) => ({ kind: 'request', transactionId }) as const),
      fc
        .tuple(id, host, fc.integer({ min: 0, max: 65535 }))
        .map(([transactionId, host, port]) => ({ kind: 'success', transactionId, mapped: { host, port } }) as const),
      fc
        .tuple(id, fc.integer({ min: 300, max: 699 }))
        .map(([transactionId, code]) => ({ kind: 'error', transactionId, code }) as const),
    );
    fc.assert(
      fc.property(message, fc.boolean(), (value, withFingerprint) => {
        const datagram = encodeStun(value, withFingerprint);
        expect(looksLikeStun(datagram)).toBe(true);
        expect(decodeStun(datagram)).toEqual(value);
      }),
      { seed: 5389 },
    );
  });

  it('writes a shortened IPv6 address', () => {
    const datagram = encodeStun({ kind: 'success', transactionId, mapped: { host: '2001:db8::1', port: 5060 } });
    expect(decodeStun(datagram)).toMatchObject({ mapped: { host: '2001:db8:0:0:0:0:0:1', port: 5060 } });
  });

  it.each([
    ['an empty datagram', new Uint8Array(), 'stun.type'],
    ['a header that is cut', ipv4Answer.subarray(0, 19), 'stun.transactionId'],
    ['another length', ipv4Answer.subarray(0, 60), 'stun.length'],
    ['another cookie', hex('00010000 2112a443 b7e7a701bc34d686fa87dfae'), 'stun.magicCookie'],
    ['another method', hex('00030000 2112a442 b7e7a701bc34d686fa87dfae'), 'stun.type'],
    ['an indication', hex('00110000 2112a442 b7e7a701bc34d686fa87dfae'), 'stun.type'],
    ['a success without an address', hex('01010000 2112a442 b7e7a701bc34d686fa87dfae'), 'stun.XOR-MAPPED-ADDRESS'],
    ['an error without a code', hex('01110000 2112a442 b7e7a701bc34d686fa87dfae'), 'stun.ERROR-CODE'],
    ['an error 099', hex('01110008 2112a442 b7e7a701bc34d686fa87dfae 00090004 00000063'), 'stun.ERROR-CODE'],
    ['an attribute beyond the end', hex('00010004 2112a442 b7e7a701bc34d686fa87dfae 80220005'), 'stun.attribute.value'],
    ['an unknown attribute', hex('00010004 2112a442 b7e7a701bc34d686fa87dfae 7fff0000'), 'stun.attribute.7fff'],
    [
      'family 3',
      hex('0101000c 2112a442 b7e7a701bc34d686fa87dfae 00200008 0003a147 e112a643'),
      'stun.XOR-MAPPED-ADDRESS',
    ],
    ['what is too long', new Uint8Array(1504), 'stun'],
    ['too many attributes', hex(`00010084 2112a442 b7e7a701bc34d686fa87dfae ${'80220000'.repeat(33)}`), 'stun'],
  ])('refuses %s', (_, datagram, field) => {
    expect(() => decodeStun(datagram)).toThrow(expect.objectContaining({ name: 'ProtocolError', field }));
  });

  it('never fails otherwise, whatever comes', () => {
    const mutated = fc
      .tuple(fc.constantFrom(ipv4Answer, ipv6Answer), fc.array(fc.tuple(fc.nat(100), fc.integer({ min: 0, max: 255 }))))
      .map(([base, changes]) => {
        const bytes = Uint8Array.from(base);
        for (const [at, octet] of changes) if (at < bytes.length) bytes[at] = octet;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), mutated), (datagram) => {
        try {
          decodeStun(datagram);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { seed: 5626 },
    );
  });

  it('tells STUN from SIP and from a keep-alive in the same socket', () => {
    expect(looksLikeStun(ipv4Answer)).toBe(true);
    for (const text of ['OPTIONS sip:a@b.test SIP/2.0\r\n\r\n', 'SIP/2.0 200 OK\r\n\r\n', '\r\n\r\n', '']) {
      expect(looksLikeStun(utf8(text.padEnd(text === '' ? 0 : 20)))).toBe(false);
    }
  });

  it('tells which request an answer belongs to', () => {
    const request: StunMessage = { kind: 'request', transactionId };
    expect(isAnswerTo(decodeStun(ipv4Answer), request)).toBe(true);
    expect(isAnswerTo(decodeStun(ipv4Answer), { kind: 'request', transactionId: new Uint8Array(12) })).toBe(false);
    expect(isAnswerTo(request, request)).toBe(false);
  });
});
