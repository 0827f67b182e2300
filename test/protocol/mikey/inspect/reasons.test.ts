import { describe, expect, it } from 'vitest';

import { ByteWriter } from '../../../../src/base/byte-writer.ts';
import { concatBytes, utf8 } from '../../../../src/base/bytes.ts';
import { SecretBytes } from '../../../../src/base/secret-bytes.ts';
import { decodeMessage, encodeMessage, type Payload } from '../../../../src/protocol/mikey/index.ts';
import { inspectLonePayload, inspectMessage } from '../../../../src/protocol/mikey/inspect/index.ts';
import {
  computeMac,
  messageKeys,
  protectionKeys,
  sealMessage,
  suites,
} from '../../../../src/protocol/mikey/protection.ts';
import { encodeKeyData } from '../../../../src/protocol/mikey/ticket-codec.ts';
import { keyData } from '../../../../src/protocol/mikey/ticket-keys.ts';
import { ntpTimestamp } from '../../../../src/protocol/mikey/timestamp.ts';
import { profile } from '../../../../src/protocol/profile.ts';
import { hex, vectors } from '../vectors.ts';

const now = Date.UTC(2026, 0, 1);
const { inputs, messages, trace } = vectors.scenarios[0]!;
const secret = (text: string | undefined): SecretBytes => new SecretBytes(hex(text));
const message = (name: string): Uint8Array => hex(messages[name]);
const psk = secret(inputs['psk_initiator']);
const mpk = secret(trace['ticket']!['mpk']);
const tpk = secret(inputs['tpk']);

const told = (bytes: Uint8Array, options = {}): string[] =>
  inspectMessage(bytes, { now, ...options }).findings.map(
    ({ subject, result, detail }) => `${subject} | ${result} | ${detail}`,
  );

/** The message with other payloads, its MAC no longer right. */
function changed(name: string, change: (payloads: readonly Payload[]) => readonly Payload[], header = {}): Uint8Array {
  const decoded = decodeMessage(message(name));
  return encodeMessage({ header: { ...decoded.header, ...header }, payloads: change(decoded.payloads) });
}

/** REQUEST_INIT with a right MAC over other payloads. */
function sealedRequest(
  change: (payloads: readonly Payload[]) => readonly Payload[],
  trailer: readonly string[],
): Uint8Array {
  const { header, payloads } = decodeMessage(message('request_init'));
  const keys = messageKeys(suites['128'], psk, header.csbId, 'initial', {
    initiator: hex(trace['request_init']!['randr']),
  });
  return sealMessage({ header, payloads: change(payloads).slice(0, -1) }, keys, trailer.map(utf8)).bytes;
}

const without =
  (...names: readonly string[]) =>
  (payloads: readonly Payload[]): readonly Payload[] =>
    payloads.filter((one) => !names.includes(one.payload === 'IDR' ? `IDR${one.role}` : one.payload));

describe('what is not given', () => {
  it.each([
    ['request_init', /\(--psk\)$/],
    ['resolve_init', /\(--psk\)$/],
    ['request_resp', /which its MAC covers \(--request\)$/],
    ['resolve_resp', /which its MAC covers \(--request\)$/],
    ['transfer_init', /\(--mpk\), or the ticket protection key \(--tpk\)$/],
    ['transfer_resp', /which its MAC covers \(--request\)$/],
  ])('%s names it', (name, reason) => {
    expect(told(message(name))[0]).toMatch(/^V of [A-Z_]+ \| not checked \| needs /);
    expect(told(message(name))[0]).toMatch(reason);
  });

  it('an answer with its request names the key', () => {
    const request = message('request_init');
    expect(told(message('request_resp'), { request })[0]).toContain('(--psk)');
    expect(told(message('transfer_resp'), { request: message('transfer_init') })[0]).toContain('(--mpk)');
  });
});

describe('a request that does not fit', () => {
  const answer = message('request_resp');

  it.each([
    ['another type', message('resolve_init'), 'REQUEST_RESP does not answer RESOLVE_INIT_PSK'],
    ['another exchange', changed('request_init', (all) => all, { csbId: 7 }), 'has another CSB ID than the message'],
    ['no message', Uint8Array.of(1, 2, 3), 'cannot be read: mikey.HDR'],
  ])('%s is told, and nothing is concluded', (_, request, problem) => {
    const [first, second] = told(answer, { psk, request });
    expect(first).toMatch(new RegExp(`^--request \\| not checked \\| ${problem}`));
    expect(second).toMatch(/^V of REQUEST_RESP \| not checked/);
  });

  it('a request without its random value is told', () => {
    const request = changed('request_init', without('RANDR'));
    expect(told(answer, { psk, request })[0]).toContain('Initiator (RANDRi) is missing');
  });
});

describe('identities that a message leaves out', () => {
  const parties = ['sip:alice@example.com', 'sip:kms.example.com'];
  const bare = sealedRequest(without('IDR1', 'IDR3'), parties);
  const unnamed = sealedRequest(
    (payloads) =>
      without(
        'IDR1',
        'IDR3',
      )(payloads).map((one) =>
        one.payload === 'TP'
          ? { ...one, policy: { ...one.policy, parameters: without('IDR1', 'IDR3')(one.policy.parameters) } }
          : one,
      ),
    parties,
  );

  it('come from the policy', () => {
    expect(told(bare, { psk })[0]).toContain('| verified |');
    expect(told(bare, { psk })[0]).toContain('Identity_kms (sip:kms.example.com, from the policy)');
  });

  it('come from the caller first', () => {
    const options = { psk, initiator: utf8(parties[0]!), kms: utf8(parties[1]!) };
    expect(told(unnamed, options)[0]).toContain('Identity_i (sip:alice@example.com, from --initiator)');
    expect(told(unnamed, options)[0]).toContain('| verified |');
    expect(told(bare, { psk, kms: utf8('sip:other') })[0]).toContain('| failed |');
  });

  it('are asked for otherwise', () => {
    expect(told(unnamed, { psk })[0]).toContain('needs Identity_i, which the message leaves out (--initiator)');
  });
});

describe('meanings', () => {
  const meanings = (bytes: Uint8Array): string => JSON.stringify(inspectMessage(bytes, { now }).tree);

  it('of this profile: PSK-MIME and proof of origin', () => {
    const session = { csId: 1, protType: profile.mikey.protTypePskMime, policies: [], spi: Uint8Array.of(1) };
    const message = changed(
      'transfer_init',
      (payloads) => [
        ...payloads.slice(0, -1),
        {
          payload: 'EXTENSION',
          extensionType: profile.mikey.proofOfOriginExtension,
          data: new Uint8Array(4),
        },
        ...payloads.slice(-1),
      ],
      {
        map: {
          type: 'generic',
          sessions: [{ ...session, sessionDataHasIndex: false, sessionData: new Uint8Array() }],
        },
      },
    );
    expect(meanings(message)).toContain('PSK-MIME in this profile');
    expect(meanings(message)).toContain('proof of origin in this profile');
  });

  it('of a wish for keys that bears octets: they are not shown, and that is told', () => {
    const wish = encodeKeyData([keyData('TGK', new Uint8Array(16).fill(0xab), Uint8Array.of(1))]);
    const message = changed('request_init', (payloads) =>
      payloads.map((one) =>
        one.payload === 'TP'
          ? {
              ...one,
              policy: {
                ...one.policy,
                parameters: [
                  ...one.policy.parameters,
                  { payload: 'KEMAC', encryption: 0, data: wish, macAlgorithm: 0, mac: new Uint8Array() },
                ],
              },
            }
          : one,
      ),
    );
    expect(meanings(message)).toContain('not shown, although a wish should have zero octets');
    expect(meanings(message)).not.toContain('abababab');
  });

  it('of a time that is now', () => {
    const message = changed('request_init', (payloads) =>
      payloads.map((one) => (one.payload === 'T' ? ntpTimestamp(now) : one)),
    );
    expect(meanings(message)).toMatch(/"2026-01-01T00:00:00.000Z, (now|in 0 s|0 s ago)"/);
  });
});

describe('messages that prove nothing', () => {
  it('have no MAC', () => {
    expect(told(changed('request_init', without('V')), { psk })).toEqual([
      'REQUEST_INIT_PSK | not checked | nothing protects it: no V, SIGN or MAC',
    ]);
  });

  it('are of a kind without a rule here, or of an unknown PRF', () => {
    const all = (payloads: readonly Payload[]): readonly Payload[] => payloads;
    expect(told(changed('request_init', all, { dataType: 4 }), { psk })[0]).toContain('no rule here for D-H init');
    expect(told(changed('request_init', all, { prf: 9 }), { psk })[0]).toContain('mikey.HDR.prf: PRF func 9');
  });

  it('have what they need twice', () => {
    const twice = changed('request_init', (payloads) => [
      payloads[0]!,
      ...payloads.filter((one) => one.payload === 'RANDR'),
      ...payloads.slice(1),
    ]);
    expect(told(twice, { psk })[0]).toContain('stands twice');
  });

  it('TRANSFER_RESP with forking needs RANDRkms', () => {
    const request = message('transfer_init');
    const answer = changed('transfer_resp', (payloads) =>
      payloads.filter((one) => one.payload !== 'RANDR' || one.role !== 3),
    );
    expect(told(answer, { request, tpk })[0]).toContain('not checked');
    expect(told(answer, { request, mpks: [mpk] })[0]).toContain('failed');
  });

  it('TRANSFER_RESP without IDRr is tried for the responder that was asked', () => {
    const answer = changed('transfer_resp', without('IDR2'));
    expect(told(answer, { request: message('transfer_init'), mpks: [mpk] })[0]).toContain("MPKr' forked from");
  });
});

describe('a KEMAC under a right MAC', () => {
  const request = message('request_init');
  const seal = (change: (payload: Payload) => Payload): Uint8Array => {
    const { header, payloads } = decodeMessage(message('request_resp'));
    const keys = messageKeys(suites['128'], psk, header.csbId, 'response', {
      initiator: hex(trace['request_init']!['randr']),
    });
    return sealMessage({ header, payloads: payloads.slice(0, -1).map(change) }, keys, [request]).bytes;
  };

  it.each([
    ['of octets that are no keys', { data: new Uint8Array(9) }, 'failed'],
    ['of another algorithm', { encryption: 3 }, 'failed'],
    ['that is not enciphered', { encryption: 0, data: new Uint8Array() }, 'not checked'],
  ])('%s is told', (_, change, result) => {
    const bytes = seal((one) => (one.payload === 'KEMAC' ? { ...one, ...change } : one));
    const [verified, kemac] = told(bytes, { psk, request });
    expect(verified).toContain('| verified |');
    expect(kemac).toMatch(new RegExp(`^KEMAC of REQUEST_RESP \\| ${result} \\|`));
  });
});

describe('a ticket', () => {
  const ticket = hex(trace['ticket']!['payload']);
  const look = (bytes: Uint8Array, options = {}): string[] =>
    inspectLonePayload(bytes, 'TICKET', true, { now, ...options }).findings.map(
      ({ subject, result, detail }) => `${subject} | ${result} | ${detail}`,
    );
  const at = (offset: number, octet: number): Uint8Array => {
    const bytes = Uint8Array.from(ticket);
    bytes[offset] = octet;
    return bytes;
  };

  it('under another TPK fails; without one nothing is said', () => {
    expect(look(ticket, { tpk: mpk })).toEqual([
      expect.stringContaining('V of the ticket | failed | does not hold with --tpk'),
    ]);
    expect(look(ticket)).toEqual(['V of the ticket | not checked | needs the ticket protection key (--tpk)']);
  });

  it('of an unknown PRF, or whose Ticket Data cannot be read, is not checked', () => {
    expect(look(at(5, 0x10), { tpk })[0]).toContain('| not checked | mikey.policy.prf');
    const dataAt = 10 + ticket[8]! * 256 + ticket[9]! + 2;
    expect(look(at(dataAt, 99), { tpk, mpks: [mpk] })[0]).toContain('| not checked | ');
  });

  it('with Initiator Data of another message, or damaged, is told', () => {
    const change = (initiatorData: (data: Uint8Array) => Uint8Array): Uint8Array =>
      changed('transfer_init', (payloads) =>
        payloads.map((one) =>
          one.payload === 'TICKET' ? { ...one, initiatorData: initiatorData(one.initiatorData) } : one,
        ),
      );
    const otherVi = change((data) => data.map((octet, index) => (index === 5 ? octet ^ 1 : octet)));
    expect(told(otherVi, { tpk })).toEqual(
      expect.arrayContaining([
        'Vi | failed | is not the MAC of V: the Initiator Data belongs to another message',
        'Vr | not checked | no given key is its MPKr, or it was changed',
      ]),
    );
    expect(
      told(
        change((data) => data.subarray(0, 9)),
        { tpk },
      ).at(-1),
    ).toMatch(/^Initiator Data \| not checked/);
  });
});

describe('the answer to a Pre-shared message (RFC 3830)', () => {
  it('covers both identities and T of the question', () => {
    const { psk: key, message: question, rand, csb_id: csbId } = vectors.unit.rfc3830_psk;
    const request = hex(question);
    const shared = secret(key);
    const keys = protectionKeys(suites['128'], shared, (constant) =>
      new ByteWriter().u32(constant).u8(0xff).u32(csbId).bytes(hex(rand)).finish(),
    );
    const unsealed = encodeMessage({
      header: { dataType: 1, answerWanted: false, prf: 0, csbId, map: { type: 'empty' } },
      payloads: [{ payload: 'V', macAlgorithm: 1, mac: new Uint8Array(20) }],
    });
    const covered = unsealed.subarray(0, -20);
    const timestamp = decodeMessage(request).payloads.find((one) => one.payload === 'T');
    const trailer = [utf8('a'), utf8('b'), timestamp?.payload === 'T' ? timestamp.value : new Uint8Array()];
    const answer = concatBytes(covered, computeMac(1, keys.authentication(), covered, ...trailer));
    const options = { psk: shared, request, initiator: utf8('a'), responder: utf8('b') };
    expect(told(answer, options)[0]).toMatch(/^V of PSK ver msg \| verified \| .* and T of the request$/);
    expect(told(answer, { ...options, responder: utf8('c') })[0]).toContain('| failed |');
    expect(told(answer, { psk: shared, request })[0]).toContain('(--initiator)');
    expect(told(answer, { psk: shared })[0]).toContain('(--request)');
    expect(told(answer, { request, initiator: utf8('a') })[0]).toContain('(--psk)');
    const noRand = encodeMessage({
      ...decodeMessage(request),
      payloads: decodeMessage(request).payloads.filter((one) => one.payload !== 'RAND'),
    });
    expect(told(noRand, { psk: shared })[0]).toContain('RAND is missing');
  });
});
