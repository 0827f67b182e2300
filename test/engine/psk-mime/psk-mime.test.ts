import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalBytes, fromUtf8, toHex, utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import {
  openMessage,
  readProtectedMessage,
  sealMessage,
  type MessageToSeal,
  type ReceivedMessage,
} from '../../../src/engine/psk-mime/index.ts';
import { cpimText } from '../../../src/engine/text-content.ts';
import { readMessageBody } from '../../../src/engine/messages/message-body.ts';
import { replayKey } from '../../../src/engine/tickets/replay-key.ts';
import { createTransfer, messageTicketFlags, msrpTicketFlags, uriIdentity } from '../../../src/protocol/mikey/index.ts';
import {
  decodeMultipart,
  encodeMultipart,
  headerValue,
  parseMediaType,
  type MimeEntity,
} from '../../../src/protocol/mime/index.ts';
import { profile } from '../../../src/protocol/profile.ts';
import { MemoryKms } from '../../support/memory-kms.ts';
import { lackOfOpenssl } from '../../support/needs/common-needs.ts';
import { needing } from '../../support/needs/needs.ts';

const alice = 'sip:alice@lab.test';
const bob = 'sip:bob@lab.test';
const carol = 'sip:carol@lab.test';
const now = Date.UTC(2026, 10, 23, 12);
const kms = new MemoryKms([alice, bob, carol], secureRandom);
const ticket = await kms.grant({ from: alice, to: bob, now });

function seal({ text = 'Grüße, Bob', ...changes }: Partial<MessageToSeal> & { readonly text?: string } = {}) {
  const message = { ticket, self: alice, recipient: bob, messageId: 'm1', now, random: secureRandom, ...changes };
  const { self: from, recipient: to, messageId } = message;
  return sealMessage({ content: cpimText({ from, to, at: message.now, messageId, text }), ...message });
}

function receive(sealed: { contentType: string; body: Uint8Array }, at = now): ReceivedMessage {
  return readProtectedMessage(sealed.contentType, sealed.body, { now: at, self: [bob] });
}

async function open(received: ReceivedMessage, assertedIdentity?: string) {
  return openMessage(received, await kms.resolve(received.transfer, bob, now), assertedIdentity);
}

/** The same parts in another envelope. */
function rewrap(
  sealed: { contentType: string; body: Uint8Array },
  change: (parts: MimeEntity[]) => MimeEntity[],
  subtype: 'mixed' | 'related' = 'mixed',
) {
  const parts = decodeMultipart(parseMediaType(sealed.contentType), sealed.body);
  return encodeMultipart({ subtype, parts: change(parts), random: secureRandom });
}

function withHeader(part: MimeEntity, name: string, value: string): MimeEntity {
  const others = part.headers.filter((header) => header.name !== name);
  return { ...part, headers: [...others, { name, value }] };
}

function withBody(part: MimeEntity, change: (body: Uint8Array) => void): MimeEntity {
  const body = Uint8Array.from(part.body);
  change(body);
  return { ...part, body };
}

function failure(action: () => unknown): ProtocolError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    return error as ProtocolError;
  }
  throw new Error('nothing was refused');
}

describe('protected MESSAGE', () => {
  it.each([
    ['256', 'AES-256-GCM'],
    ['128', 'AES-128-GCM'],
  ] as const)(
    'travels from sender to recipient, suite %s, with its origin proven',
    async (suite, contentEncryption) => {
      const sealed = seal({ ticket: await kms.grant({ from: alice, to: bob, now, suite }) });
      const received = receive(sealed);
      expect(await open(received, alice)).toEqual({
        content: {
          kind: 'text',
          text: 'Grüße, Bob',
          from: alice,
          to: [bob],
          cc: [],
          recordRoute: [],
          messageId: 'm1',
          sentAt: now,
          wants: { delivery: false, failure: false, display: false, processing: false },
        },
        originProven: true,
        identity: 'verified',
        contentEncryption,
        keyId: sealed.keyId,
      });
      expect(sealed.contentEncryption).toBe(contentEncryption);
    },
  );

  it('has the form of profile 5.2, and the text nowhere in it', () => {
    const { contentType, body, csbId, csId, keyId } = seal();
    const parts = decodeMultipart(parseMediaType(contentType), body);
    expect(readMessageBody(contentType, body).isSealed).toBe(true);
    expect(parts.map((part) => headerValue(part.headers, 'Content-Type'))).toEqual([
      'application/mikey',
      'application/pkcs7-mime;smime-type=authEnveloped-data;name=smime.p7m',
    ]);
    expect(keyId.startsWith(csbId.toString(16).padStart(8, '0') + csId.toString(16).padStart(2, '0'))).toBe(true);
    const needle = utf8('Bob');
    expect(body.some((_octet, at) => equalBytes(body.subarray(at, at + needle.length), needle))).toBe(false);
    expect(body.length).toBeLessThan(2500);
  });

  it('carries any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 200 }), async (text) => {
        expect((await open(receive(seal({ text })), alice)).content).toMatchObject({ text });
      }),
      { numRuns: 20 },
    );
  });

  it('has a key of its own each time, under one ticket', () => {
    const [first, second] = [seal(), seal()];
    expect(first.keyId).not.toBe(second.keyId);
    expect(first.csbId).not.toBe(second.csbId);
  });

  it.each([
    ['multipart/related', (parts: MimeEntity[]) => parts, 'related'],
    ['the parts the other way round', (parts: MimeEntity[]) => parts.toReversed(), 'mixed'],
    [
      'base64 parts',
      (parts: MimeEntity[]) => parts.map((part) => withHeader(part, 'Content-Transfer-Encoding', 'base64')),
      'mixed',
    ],
    [
      'the spelling of RFC 8591',
      (parts: MimeEntity[]) => [
        parts[0]!,
        withHeader(parts[1]!, 'Content-Type', 'application/pkcs7-mime; smime-type=auth-enveloped-data'),
      ],
      'mixed',
    ],
  ] as const)('is read with %s', async (_case, change, subtype) => {
    expect((await open(receive(rewrap(seal(), change, subtype)), alice)).originProven).toBe(true);
  });

  it('can be stored: it is read days later, and not after its ticket has ended', async () => {
    const sealed = seal();
    const later = now + (profile.ticket.messageLifetimeSeconds - 60) * 1000;
    const received = receive(sealed, later);
    expect(openMessage(received, await kms.resolve(received.transfer, bob, later)).content).toMatchObject({
      text: 'Grüße, Bob',
    });
    const tooLate = now + (profile.ticket.messageLifetimeSeconds + 60) * 1000;
    const error = failure(() => receive(sealed, tooLate));
    expect([error.kind, error.hint.sip]).toEqual(['expired', 493]);
  });

  it('is remembered until its ticket ends, under a key that only its copy shares', () => {
    const sealed = seal();
    const [first, copy, other] = [receive(sealed), receive(rewrap(sealed, (parts) => parts)), receive(seal())];
    expect(replayKey(copy.transfer)).toEqual(replayKey(first.transfer));
    expect(replayKey(other.transfer)).not.toEqual(replayKey(first.transfer));
    expect(first.rememberUntil).toBe(ticket.validUntil);
  });
});

describe('protected MESSAGE under attack', () => {
  it('is refused with any octet of the CMS changed, before the KMS is asked', () => {
    const sealed = seal();
    const length = decodeMultipart(parseMediaType(sealed.contentType), sealed.body)[1]!.body.length;
    for (let at = 0; at < length; at++) {
      const damaged = rewrap(sealed, ([mikey, cms]) => [mikey!, withBody(cms!, (body) => (body[at]! ^= 1))]);
      const error = failure(() => receive(damaged));
      expect([400, 493]).toContain(error.hint.sip);
    }
  });

  it('is refused with any octet of the TRANSFER_INIT changed', async () => {
    const sealed = seal();
    const length = decodeMultipart(parseMediaType(sealed.contentType), sealed.body)[0]!.body.length;
    for (let at = 0; at < length; at++) {
      const damaged = rewrap(sealed, ([mikey, cms]) => [withBody(mikey!, (body) => (body[at]! ^= 1)), cms!]);
      // The KMS's own refusal is an Error message that the resolver turns into a ProtocolError.
      await expect((async () => open(receive(damaged), alice))()).rejects.toThrow(Error);
    }
  });

  it('is refused when the proof is for another CMS object, even one under the same key', () => {
    const [one, other] = [seal({ text: 'one' }), seal({ text: 'other' })];
    const [, otherCms] = decodeMultipart(parseMediaType(other.contentType), other.body);
    const swapped = rewrap(one, ([mikey]) => [mikey!, otherCms!]);
    expect(failure(() => receive(swapped)).hint.sip).toBe(493);
  });

  it('is refused to anybody whom the ticket does not name', async () => {
    const sealed = seal();
    const overheard = failure(() => readProtectedMessage(sealed.contentType, sealed.body, { now, self: [carol] }));
    expect([overheard.field, overheard.hint.sip]).toEqual(['mikey.TRANSFER_INIT.IDRr', 493]);
    const received = receive(sealed);
    await expect(kms.resolve(received.transfer, carol, now)).rejects.toThrow(Error);
  });

  it('is refused from another sender with a ticket that is not its own', () => {
    expect(failure(() => seal({ self: carol })).kind).toBe('local');
    expect(failure(() => seal({ recipient: carol })).kind).toBe('local');
  });

  it('is shown as unverified when the network or the envelope names somebody else', async () => {
    const received = receive(seal());
    const resolved = await kms.resolve(received.transfer, bob, now);
    expect(openMessage(received, resolved, carol)).toMatchObject({ identity: 'unverified', originProven: true });
    expect(openMessage(received, resolved, 'nobody').identity).toBe('unverified');
    expect(openMessage(received, resolved, `${alice};user=phone`).identity).toBe('verified');
    expect(openMessage(received, resolved).identity).toBe('verified');
  });

  it('claims no proven origin without a proof, or with a ticket that cannot give one', async () => {
    const unforked = await kms.grant({ from: alice, to: bob, now, flags: { ...messageTicketFlags, I: false } });
    expect((await open(receive(seal({ ticket: unforked })), alice)).originProven).toBe(false);
    const { contentType, body } = sealWithoutProof();
    expect(await open(receive({ contentType, body }), alice)).toMatchObject({
      content: { text: 'Grüße, Bob' },
      originProven: false,
    });
  });

  it('is refused with a ticket that wants an answer', async () => {
    const answered = await kms.grant({ from: alice, to: bob, now, flags: msrpTicketFlags });
    expect(failure(() => seal({ ticket: answered })).kind).toBe('local');
    const transfer = createTransfer({
      ticket: answered,
      initiator: uriIdentity(alice),
      responder: uriIdentity(bob),
      protType: profile.mikey.protTypePskMime,
      csId: 1,
      now,
      random: secureRandom,
    });
    const wanting = rewrap(seal(), ([mikey, cms]) => [{ ...mikey!, body: transfer.message }, cms!]);
    expect(failure(() => receive(wanting)).field).toBe('mikey.TICKET.F');
  });

  /** The envelope of a real message around a TRANSFER_INIT that binds nothing: a peer of another make. */
  function sealWithoutProof() {
    // The same "random" octets on both sides, so that both derive the same key.
    const random = { bytes: (length: number) => new Uint8Array(length).fill(9) };
    const transfer = createTransfer({
      ticket,
      initiator: uriIdentity(alice),
      responder: uriIdentity(bob),
      protType: profile.mikey.protTypePskMime,
      csId: profile.mikey.crypto.csId,
      now,
      random,
    });
    return rewrap(seal({ random }), ([mikey, cms]) => [{ ...mikey!, body: transfer.message }, cms!]);
  }
});

describe('a body that is no protected MESSAGE', () => {
  const cmsPart = (parts: MimeEntity[]) => parts[1]!;

  it.each([
    ['only the CMS part', (parts: MimeEntity[]) => [cmsPart(parts)], 415],
    ['only the MIKEY part', (parts: MimeEntity[]) => [parts[0]!], 415],
    ['two CMS parts', (parts: MimeEntity[]) => [...parts, cmsPart(parts)], 415],
    ['a part of another type', (parts: MimeEntity[]) => [...parts, { headers: [], body: utf8('hello') }], 415],
    [
      'a signed-data part',
      (parts: MimeEntity[]) => [
        parts[0]!,
        withHeader(cmsPart(parts), 'Content-Type', 'application/pkcs7-mime;smime-type=signed-data'),
      ],
      415,
    ],
    ['an empty MIKEY part', (parts: MimeEntity[]) => [{ ...parts[0]!, body: utf8('') }, cmsPart(parts)], 400],
    ['an empty CMS part', (parts: MimeEntity[]) => [parts[0]!, { ...cmsPart(parts), body: utf8('') }], 400],
    [
      'an unknown transfer encoding',
      (parts: MimeEntity[]) => parts.map((part) => withHeader(part, 'Content-Transfer-Encoding', 'x-own')),
      415,
    ],
  ])('is answered by its fault: %s', (_case, change, sip) => {
    expect(failure(() => receive(rewrap(seal(), change))).hint.sip).toBe(sip);
  });

  it('is answered by its fault: another type, a broken type, a cut body', () => {
    const { contentType, body } = seal();
    expect(failure(() => receive({ contentType: 'text/plain', body })).hint.sip).toBe(415);
    expect(failure(() => receive({ contentType: 'multipart', body })).hint.sip).toBe(400);
    expect(readMessageBody('text/plain', new Uint8Array()).isSealed).toBe(false);
    expect(failure(() => readMessageBody('\u0000', new Uint8Array())).hint.sip).toBe(400);
    for (let length = 0; length < body.length - 4; length += 7) {
      const error = failure(() => receive({ contentType, body: body.subarray(0, length) }));
      expect([400, 415, 493]).toContain(error.hint.sip);
    }
  });
});

describe('the CMS part', needing(lackOfOpenssl), () => {
  it('opens with openssl under the key that the recipient derives', async () => {
    const received = receive(seal());
    const key = (await kms.resolve(received.transfer, bob, now)).sessionKey().use(toHex);
    const parameters = ['-decrypt', '-inform', 'DER', '-binary', '-secretkey', key, '-secretkeyid', received.keyId];
    const opened = spawnSync('openssl', ['cms', ...parameters], { input: received.cms });
    const text = fromUtf8(Uint8Array.from(opened.stdout));
    expect(text).toMatch(/^Content-Type: message\/cpim\r\n\r\nFrom: <sip:alice@lab\.test>\r\n/);
    expect(text).toMatch(/\r\n\r\nGrüße, Bob$/);
  });
});
