import { describe, expect, it } from 'vitest';

import { utf8 } from '../../../../src/base/bytes.ts';
import { SecretBytes } from '../../../../src/base/secret-bytes.ts';
import { TrustAnchors } from '../../../../src/crypto/certificate-path.ts';
import { readPrivateKeyPem } from '../../../../src/crypto/key-files.ts';
import { RsaPrivateKey } from '../../../../src/crypto/rsa.ts';
import {
  decodeMessage,
  encodeErrorMessage,
  encodeMessage,
  type Payload,
} from '../../../../src/protocol/mikey/index.ts';
import { inspectMessage } from '../../../../src/protocol/mikey/inspect/index.ts';
import { messageKeys, suites } from '../../../../src/protocol/mikey/protection.ts';
import { hex, vectors } from '../vectors.ts';

const { inputs, messages, trace } = vectors.scenarios.find(({ name }) => name.startsWith('pk-'))!;
const now = Date.UTC(2026, 0, 1);
const message = (name: string): Uint8Array => hex(messages[name]);
const kmsKey = new RsaPrivateKey(readPrivateKeyPem(utf8(inputs['kms_private_pem']!), 'vector'), 'vector');
const anchors = new TrustAnchors([hex(inputs['cert_initiator']), hex(inputs['cert_responder'])], 'vector');
const strangers = new TrustAnchors([hex(inputs['kms_cert'])], 'vector');

const told = (bytes: Uint8Array, options = {}): string[] =>
  inspectMessage(bytes, { now, ...options }).findings.map(
    ({ subject, result, detail }) => `${subject} | ${result} | ${detail}`,
  );

function changed(name: string, change: (payloads: readonly Payload[]) => readonly Payload[], header = {}): Uint8Array {
  const decoded = decodeMessage(message(name));
  return encodeMessage({ header: { ...decoded.header, ...header }, payloads: change(decoded.payloads) });
}

const questions = [
  ['request_init', 'REQUEST_INIT_PK', 'CN=initiator', 'Identity_i'],
  ['resolve_init', 'RESOLVE_INIT_PK', 'CN=responder', 'Identity_r'],
] as const;

describe.each(questions)('the signature of %s', (name, type, subject, identity) => {
  it('is verified with the certificate in the message, and nobody is taken for anybody by that', () => {
    const [signature, certificate] = told(message(name));
    expect(signature).toMatch(
      new RegExp(`^SIGN of ${type} \\| verified \\| with the key of the certificate in it, of `),
    );
    expect(signature).toContain(subject);
    expect(signature).toMatch(new RegExp(`over the message and ${identity} \\(sip:.*\\) and Identity_kms \\(sip:`));
    expect(certificate).toBe(
      `CERT of ${type} | not checked | anybody can make such a certificate: ` +
        'it was checked against no trust anchor (--anchors)',
    );
  });

  it('is verified up to a trust anchor when there are any, at the time that counts', () => {
    expect(told(message(name), { anchors })[1]).toMatch(
      new RegExp(`^CERT of ${type} \\| verified \\| .*${subject}.* leads to a trust anchor of --anchors$`),
    );
    expect(told(message(name), { anchors: strangers })[1]).toMatch(
      new RegExp(`^CERT of ${type} \\| failed \\| proves nothing with --anchors: .*no trust anchor`),
    );
    expect(told(message(name), { anchors, now: Date.UTC(2200, 0, 1) })[1]).toContain('not valid any more');
  });

  it('does not hold when anything was changed', () => {
    const other = changed(name, (payloads) =>
      payloads.map((one) => (one.payload === 'RANDR' ? { ...one, value: new Uint8Array(16) } : one)),
    );
    expect(told(other, { anchors })[0]).toMatch(new RegExp(`^SIGN of ${type} \\| failed \\| does not hold with`));
    expect(told(message(name), { kms: utf8('sip:other') })[0]).toContain('| verified |');
  });
});

describe('what keeps a signature from being checked', () => {
  const replaced = (change: (payload: Payload & { payload: 'CERT' }) => object): Uint8Array =>
    changed('request_init', (payloads) =>
      payloads.map((one) => (one.payload === 'CERT' ? { ...one, ...change(one) } : one)),
    );

  it('no certificate, or none for signatures', () => {
    const none = changed('request_init', (payloads) => payloads.filter((one) => one.payload !== 'CERT'));
    for (const bytes of [none, replaced(() => ({ certificateType: 3 })), replaced(() => ({ certificateType: 1 }))]) {
      expect(told(bytes)).toEqual([
        'SIGN of REQUEST_INIT_PK | not checked | the message holds no certificate of its sender',
      ]);
    }
    expect(told(replaced(() => ({ certificateType: 2 })))[0]).toContain('| failed |');
  });

  it('a certificate that cannot be read', () => {
    const cut = replaced(({ data }) => ({ data: data.subarray(0, 50) }));
    expect(told(cut)).toEqual([expect.stringMatching(/^SIGN of REQUEST_INIT_PK \| not checked \| mikey\.CERT/)]);
  });

  it('an identity that the message leaves out', () => {
    const unnamed = changed('request_init', (payloads) =>
      payloads
        .filter((one) => one.payload !== 'IDR')
        .map((one) => (one.payload === 'TP' ? { ...one, policy: { ...one.policy, parameters: [] } } : one)),
    );
    const [signature, certificate] = told(unnamed, { anchors });
    expect(signature).toContain('| not checked | needs Identity_i, which the message leaves out (--initiator)');
    expect(certificate).toContain('| verified |');
  });

  it('a kind of message without a rule', () => {
    const other = changed('request_init', (payloads) => payloads, { dataType: 4 });
    expect(told(other)).toEqual(['SIGN of D-H init | not checked | no rule here for D-H init']);
  });
});

describe.each([
  ['request_resp', 'request_init', 'REQUEST_RESP', 'env_key_initiator'],
  ['resolve_resp', 'resolve_init', 'RESOLVE_RESP', 'env_key_responder'],
] as const)('%s to a public-key question', (name, question, type, envelopeKey) => {
  const request = message(question);

  it('is verified and deciphered with the private key of the KMS', () => {
    const [verified, deciphered] = told(message(name), { request, kmsKey });
    expect(verified).toMatch(
      new RegExp(`^V of ${type} \\| verified \\| .* with the envelope key of the request \\(--kms-key\\), over`),
    );
    expect(deciphered).toMatch(new RegExp(`^KEMAC of ${type} \\| deciphered \\| with the envelope key`));
  });

  it('is verified with the envelope key itself, also beside the wrong private key', () => {
    const psk = new SecretBytes(hex(inputs[envelopeKey]));
    const other = changed(question, (payloads) =>
      payloads.map((one) => (one.payload === 'PKE' ? { ...one, data: new Uint8Array(256) } : one)),
    );
    expect(told(message(name), { request, psk })[0]).toContain('| verified | ');
    expect(told(message(name), { request, psk, kmsKey })[0]).toContain('with --psk');
    expect(told(message(name), { request: other, kmsKey })[0]).toContain('| failed | does not hold with the envelope');
  });

  it('is not checked without either, and says what it needs', () => {
    expect(told(message(name), { request })[0]).toBe(
      `V of ${type} | not checked | needs the private key of the KMS (--kms-key), or the envelope key (--psk)`,
    );
    const bare = changed(question, (payloads) => payloads.filter((one) => one.payload !== 'PKE'));
    expect(told(message(name), { request: bare, kmsKey })[0]).toMatch(/not checked \| mikey\.PKE/);
  });
});

describe('an Error that answers a public-key question', () => {
  const request = message('request_init');
  const { csbId } = decodeMessage(request).header;
  const error = { csbId, prf: 0, errorNumbers: [13], now };

  it('is verified with the key of the KMS when the KMS signed it', () => {
    const signed = encodeErrorMessage({ ...error, keys: kmsKey });
    expect(told(signed)).toEqual([
      'SIGN of Error | not checked | needs the key of the KMS (--kms-key); its certificate is not in an Error',
    ]);
    expect(told(signed, { kmsKey })[0]).toBe(
      'SIGN of Error | verified | with --kms-key, over the message and nothing else',
    );
    const changedError = Uint8Array.from(signed);
    changedError[15]! ^= 1;
    expect(told(changedError, { kmsKey })[0]).toContain('SIGN of Error | failed | does not hold with --kms-key');
  });

  it('is verified with the envelope key of the question when it has a MAC', () => {
    const keys = messageKeys(suites['128'], new SecretBytes(hex(inputs['env_key_initiator'])), csbId, 'initial', {
      initiator: hex(trace['request_init']!['randr']),
    });
    const sealed = encodeErrorMessage({ ...error, keys });
    expect(told(sealed, { request, kmsKey })[0]).toMatch(/^V of Error \| verified \| .*--kms-key/);
    const resolveKeys = messageKeys(
      suites['128'],
      new SecretBytes(hex(inputs['env_key_responder'])),
      decodeMessage(message('resolve_init')).header.csbId,
      'initial',
      { responder: hex(trace['resolve_init']!['randr']) },
    );
    const other = encodeErrorMessage({
      ...error,
      csbId: decodeMessage(message('resolve_init')).header.csbId,
      keys: resolveKeys,
    });
    expect(told(other, { request: message('resolve_init'), kmsKey })[0]).toContain('V of Error | verified |');
  });
});
