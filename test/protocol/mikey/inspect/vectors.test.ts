import { describe, expect, it } from 'vitest';

import { toHex } from '../../../../src/base/bytes.ts';
import { SecretBytes } from '../../../../src/base/secret-bytes.ts';
import type { TreeNode } from '../../../../src/base/tree-reader.ts';
import { inspectLonePayload, inspectMessage, mikeyShapeOf } from '../../../../src/protocol/mikey/inspect/index.ts';
import { decodeMessage, encodeErrorMessage } from '../../../../src/protocol/mikey/index.ts';
import { messageKeys, suites } from '../../../../src/protocol/mikey/protection.ts';
import { decodeKeyData } from '../../../../src/protocol/mikey/ticket-codec.ts';
import { hex, vectors, type Scenario } from '../vectors.ts';

const now = Date.UTC(2026, 0, 1, 0, 1);

const names: Readonly<Record<string, string>> = {
  request_init: 'REQUEST_INIT',
  request_resp: 'REQUEST_RESP',
  transfer_init: 'TRANSFER_INIT',
  transfer_resp: 'TRANSFER_RESP',
  resolve_init: 'RESOLVE_INIT',
  resolve_resp: 'RESOLVE_RESP',
};

const requests: Readonly<Record<string, string>> = {
  request_resp: 'request_init',
  resolve_resp: 'resolve_init',
  transfer_resp: 'transfer_init',
};

/** The key that proves a message of a scenario. */
function keysOf({ inputs, trace }: Scenario, message: string): { psk?: SecretBytes; mpks?: SecretBytes[] } {
  const secret = (text: string | undefined): SecretBytes => new SecretBytes(hex(text));
  if (message === 'transfer_init') return { mpks: [secret(trace['ticket']?.['mpki'])] };
  if (message === 'transfer_resp') {
    const fork = trace.fork as Readonly<Record<string, string>> | undefined;
    return { mpks: [secret(fork?.['mpkr_forked'] ?? trace['ticket']?.['mpki'])] };
  }
  const party = message.startsWith('request') ? 'initiator' : 'responder';
  return { psk: secret(inputs[`psk_${party}`] ?? inputs[`env_key_${party}`]) };
}

function requestOf({ messages }: Scenario, message: string): { request?: Uint8Array } {
  const name = requests[message];
  return name === undefined ? {} : { request: hex(messages[name]) };
}

const cases = vectors.scenarios.flatMap((scenario) =>
  Object.entries(scenario.messages).map(([message, text]) => ({ scenario, message, bytes: hex(text) })),
);

const all = (node: TreeNode): TreeNode[] => [node, ...(node.children ?? []).flatMap(all)];
const named = (node: TreeNode, name: string): TreeNode[] => all(node).filter((one) => one.name === name);
const child = (node: TreeNode, name: string): TreeNode | undefined => node.children?.find((one) => one.name === name);

describe.each(cases)('$scenario.name $message', ({ scenario, message, bytes }) => {
  const options = { now, ...keysOf(scenario, message), ...requestOf(scenario, message) };
  const { tree, stops, findings, refusal } = inspectMessage(bytes, options);
  const decoded = scenario.decoded[message]!;

  it('is read whole, each payload where the other implementation sees it', () => {
    expect(stops).toEqual([]);
    expect(refusal).toBeUndefined();
    const places = tree
      .children!.slice(1)
      .map(({ name, offset, length }) => [name.slice(0, 3).toUpperCase(), offset, length]);
    const upper = (name: string): string => (name === 'GenExt' ? 'GEN' : name.slice(0, 3).toUpperCase());
    expect(places).toEqual(
      decoded.payloads.map((one) => [upper(one['payload'] as string), one['offset'], one['length']]),
    );
  });

  it('has names and meanings', () => {
    const header = child(tree, 'HDR')!;
    expect(child(header, 'data type')?.meaning).toBe(decoded.hdr['data_type']);
    expect(child(header, 'CSB ID')?.value).toBe(decoded.hdr['csb_id']);
    expect(child(header, 'V, PRF func')?.meaning).toContain(decoded.hdr['v'] === true ? 'V=1' : 'V=0');
    for (const ticket of named(tree, 'TICKET')) {
      expect(ticket.meaning).toBe(`MIKEY base ticket, flags ${scenario.flags}`);
    }
    for (const time of named(tree, 'T'))
      expect(time.meaning).toMatch(/^2026-01-01T00:00:\d\d\.\d{3}Z, \d+ (s|min) ago$/);
    const identities = named(tree, 'IDR').map(({ meaning }) => meaning);
    for (const { payload, role, text } of decoded.payloads as { payload: string; role: number; text?: string }[]) {
      if (payload !== 'Idr' || text === undefined) continue;
      const prefix = ['', 'Initiator (IDRi)', 'Responder (IDRr)', 'KMS (IDRkms)'][role] ?? '';
      expect(identities).toContain(`${prefix}: ${text}`);
    }
  });

  it('is verified with its key, and only then deciphered', () => {
    const finding = findings.find(({ subject }) => subject.includes(`of ${names[message]!}`));
    if (scenario.name.startsWith('pk') && message.endsWith('_init') && message !== 'transfer_init') {
      expect(finding).toMatchObject({ subject: expect.stringMatching(/^SIGN of/) as string, result: 'verified' });
    } else {
      expect(finding).toMatchObject({ subject: expect.stringMatching(/^V of/) as string, result: 'verified' });
    }
    const wrong = new SecretBytes(new Uint8Array(32));
    const failed = inspectMessage(bytes, { ...options, psk: wrong, mpks: [wrong] });
    expect(failed.findings.map(({ result }) => result)).not.toContain('deciphered');
    expect(failed.findings.filter(({ subject }) => subject.startsWith(`V of ${names[message]!}`))).not.toContainEqual(
      expect.objectContaining({ result: 'verified' }),
    );
    expect(named(failed.tree, 'Keys')).toEqual([]);
  });
});

const withKeys = cases.flatMap(({ scenario, message, bytes }) => {
  const plain = scenario.trace[message]?.['kemac_plain'];
  return plain === undefined ? [] : [{ scenario, message, bytes, plain }];
});

describe.each(withKeys)('$scenario.name $message', ({ scenario, message, bytes, plain }) => {
  it('gives the keys of the other implementation, but only when it may show them', () => {
    const options = { now, ...keysOf(scenario, message), ...requestOf(scenario, message) };
    const keys = decodeKeyData(hex(plain)).map((one) => (one.payload === 'KEY_DATA' ? toHex(one.key) : ''));
    const shown = inspectMessage(bytes, { ...options, showKeys: true });
    const [found] = named(shown.tree, 'Keys');
    expect(found!.children!.map((one) => child(one, 'Key data')?.value)).toEqual(keys);
    const hidden = JSON.stringify(inspectMessage(bytes, options));
    for (const key of keys) expect(hidden).not.toContain(key);
  });
});

describe.each(vectors.scenarios)('the ticket of $name', ({ inputs, messages, trace }) => {
  const payload = hex(trace['ticket']!['payload']);
  const tpk = new SecretBytes(hex(inputs['tpk']));

  it('stands alone, with or without its Next Payload octet', () => {
    expect(mikeyShapeOf(payload)).toBe('payload TICKET');
    expect(mikeyShapeOf(payload.subarray(1))).toBe('ticket');
    for (const [bytes, hasNextPayload] of [
      [payload, true],
      [payload.subarray(1), false],
    ] as const) {
      const { stops, refusal, findings, tree } = inspectLonePayload(bytes, 'TICKET', hasNextPayload, { now, tpk });
      expect(stops).toEqual([]);
      expect(refusal).toBeUndefined();
      expect(findings.map(({ subject, result }) => `${subject} ${result}`)).toEqual([
        'V of the ticket verified',
        'KEMAC of the ticket deciphered',
      ]);
      expect(named(tree, 'Keys')).toHaveLength(1);
    }
  });

  it('proves the message that carries it: the TPK leads to MPKi and MPKr', () => {
    const { findings } = inspectMessage(hex(messages['transfer_init']), { now, tpk });
    expect(findings.filter(({ result }) => result === 'failed' || result === 'not checked')).toEqual([]);
    expect(findings.map(({ subject }) => subject)).toEqual(
      expect.arrayContaining(['V of TRANSFER_INIT', 'V of the ticket']),
    );
    const isForked = trace['initiator_data'] !== undefined;
    expect(findings.some(({ subject }) => subject === 'Vr')).toBe(isForked);
  });

  it('proves the answer from the MPK alone', () => {
    if (messages['transfer_resp'] === undefined) return;
    const mpks = [new SecretBytes(hex(trace['ticket']!['mpk']))];
    const request = hex(messages['transfer_init']);
    const { findings } = inspectMessage(hex(messages['transfer_resp']), { now, mpks, request });
    expect(findings).toMatchObject([{ subject: 'V of TRANSFER_RESP', result: 'verified' }]);
    const without = inspectMessage(hex(messages['transfer_resp']), { now, mpks });
    expect(without.findings).toMatchObject([
      { subject: 'V of TRANSFER_RESP', result: 'not checked', detail: expect.stringContaining('--request') as string },
    ]);
  });
});

describe('messages outside of an exchange', () => {
  it.each(vectors.unit.payloads)('payload $payload $hex is read whole', ({ payload, hex: text, fields }) => {
    const codes: Readonly<Record<string, number>> = {
      T: 5,
      Tr: 13,
      Id: 6,
      Idr: 14,
      Rand: 11,
      Randr: 15,
      Err: 12,
      Chash: 8,
      Pke: 2,
      Sign: 4,
      V: 9,
      Sp: 10,
      KeyData: 20,
      Kemac: 1,
      GenExt: 21,
      Cert: 7,
      Tp: 16,
      Ticket: 17,
    };
    const header = Uint8Array.of(1, 6, codes[payload]!, 0, 0, 0, 0, 1, 0, 1);
    const bytes = Uint8Array.from([...header, ...hex(text)]);
    const { tree, stops } = inspectMessage(bytes, { now });
    // The octets that stand for Ticket Data in this vector are no base ticket's.
    const inTicketData = stops.filter(({ field }) => field.startsWith('MIKEY.TICKET.Ticket Data.'));
    expect(stops).toEqual(payload === 'Ticket' ? inTicketData : []);
    expect(tree.children).toHaveLength(2);
    expect(tree.children![1]!).toMatchObject({ offset: 10, length: bytes.length - 10 });
    const value = (fields as { value?: string }).value;
    if (payload === 'T') expect(all(tree).map((one) => one.value)).toContain(value);
  });

  it('an Error is named by its numbers', () => {
    const texts = vectors.unit.error_messages.map(({ message }) => {
      const { tree, findings } = inspectMessage(hex(message), { now });
      return [
        named(tree, 'ERR').map(({ meaning }) => meaning),
        findings.map(({ subject, result }) => [subject, result]),
      ];
    });
    expect(texts).toEqual([
      [['Invalid TPpar'], [['Error', 'not checked']]],
      [['Invalid TPpar'], [['V of Error', 'not checked']]],
    ]);
  });

  it('an Error is verified with the keys of the message that it answers', () => {
    const { inputs, messages, trace } = vectors.scenarios[0]!;
    const request = hex(messages['request_init']);
    const psk = new SecretBytes(hex(inputs['psk_initiator']));
    const rands = { initiator: hex(trace['request_init']!['randr']) };
    const { csbId, prf } = decodeMessage(request).header;
    const keys = messageKeys(suites['128'], psk, csbId, 'initial', rands);
    const error = encodeErrorMessage({ csbId, prf, errorNumbers: [1], now, keys });
    expect(inspectMessage(error, { now, psk, request }).findings).toMatchObject([
      { subject: 'V of Error', result: 'verified' },
    ]);
    expect(inspectMessage(error, { now, psk }).findings).toMatchObject([
      { subject: 'V of Error', result: 'not checked', detail: expect.stringContaining('--request') as string },
    ]);
  });

  it('a Pre-shared message of RFC 3830 is verified and deciphered; keys in clear stay hidden', () => {
    const { psk, tgk, message, message_null: clear } = vectors.unit.rfc3830_psk;
    const options = { now, psk: new SecretBytes(hex(psk)), showKeys: true };
    const found = inspectMessage(hex(message), options);
    expect(found.findings).toMatchObject([
      { subject: 'MAC of Pre-shared', result: 'verified' },
      { subject: 'KEMAC of Pre-shared', result: 'deciphered' },
    ]);
    expect(JSON.stringify(found.tree)).toContain(tgk);
    const open = inspectMessage(hex(clear), options);
    expect(open.findings[0]).toMatchObject({ result: 'not checked' });
    expect(open.stops).toEqual([]);
    expect(clear).toContain(tgk);
    expect(JSON.stringify(open)).not.toContain(tgk);
  });
});
