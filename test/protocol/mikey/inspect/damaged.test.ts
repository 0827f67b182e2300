import { describe, expect, it } from 'vitest';

import { SecretBytes } from '../../../../src/base/secret-bytes.ts';
import type { TreeNode } from '../../../../src/base/tree-reader.ts';
import { inspectLonePayload, inspectMessage } from '../../../../src/protocol/mikey/inspect/index.ts';
import { decodeMessage } from '../../../../src/protocol/mikey/index.ts';
import { hex, vectors } from '../vectors.ts';

const now = Date.UTC(2026, 0, 1);
const count = (node: TreeNode): number => 1 + (node.children ?? []).reduce((sum, one) => sum + count(one), 0);

// One forking exchange with short keys, one without forking and with long keys, one with certificates and signatures.
const scenarios = vectors.scenarios.filter(({ name }) =>
  ['mode1-128-forking', 'mode1-256-one-way', 'pk-128-forking'].includes(name),
);
const cases = scenarios.flatMap(({ name, messages, inputs }) =>
  Object.entries(messages).map(([message, text]) => ({ name, message, bytes: hex(text), tpk: inputs['tpk'] })),
);

describe.each(cases)('$name $message', ({ bytes, tpk }) => {
  it('cut at any length tells where it ends', { timeout: 60_000 }, () => {
    for (let length = 0; length < bytes.length; length++) {
      const { tree, stops, refusal, findings } = inspectMessage(bytes.subarray(0, length), { now });
      expect(stops.length).toBeGreaterThan(0);
      for (const { offset, field, problem } of stops) {
        expect(offset).toBeLessThanOrEqual(length);
        expect(field).toMatch(/^MIKEY\./);
        expect(problem).not.toBe('');
      }
      expect(refusal).toBeDefined();
      expect(findings).toMatchObject([{ result: 'not checked' }]);
      expect(tree.length).toBe(length);
    }
  });

  it('with any octet changed is still shown, and what stops it is told', { timeout: 60_000 }, () => {
    const keys = { now, tpk: new SecretBytes(hex(tpk)) };
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = damaged[at]! ^ (1 << (at % 8));
      const { tree, stops, refusal } = inspectMessage(damaged, keys);
      // What the strict codec refuses is never shown as if it were right.
      const isTold = stops.length > 0 || /Contradiction|not MIKEY version 1/.test(JSON.stringify(tree));
      if (refusal !== undefined) expect({ at, isTold }).toEqual({ at, isTold: true });
      expect(count(tree)).toBeLessThanOrEqual(16 * bytes.length + 64);
    }
  });
});

it('no changed octet leaves the proof standing, Initiator Data apart', { timeout: 60_000 }, () => {
  const { messages, trace } = scenarios[0]!;
  const bytes = hex(messages['transfer_init']);
  const message = decodeMessage(bytes);
  const index = message.payloads.findIndex(({ payload }) => payload === 'TICKET');
  const ticket = message.payloads[index]!;
  const span = message.spans[index]!;
  const end = span.offset + span.length;
  const start = end - (ticket.payload === 'TICKET' ? ticket.initiatorData.length : 0);
  const mpks = [new SecretBytes(hex(trace['ticket']!['mpki']))];
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Uint8Array.from(bytes);
    damaged[at] = damaged[at]! ^ 0x01;
    const { findings } = inspectMessage(damaged, { now, mpks });
    const isVerified = findings.some(({ subject, result }) => subject.startsWith('V of T') && result === 'verified');
    // Damage there can make the message unreadable, which is no proof either.
    if (at < start || at >= end) expect({ at, isVerified }).toEqual({ at, isVerified: false });
  }
});

describe('what is wrong in one part', () => {
  const bytes = hex(scenarios[0]!.messages['transfer_init']);

  it('does not hide what follows, when its length is known', () => {
    const damaged = Uint8Array.from(bytes);
    // First payload of TP Data.
    damaged[192] = 99;
    const { tree, stops } = inspectMessage(damaged, { now });
    expect(stops).toMatchObject([{ offset: 193, field: 'MIKEY.TICKET.TP Data.Next payload' }]);
    expect(tree.children!.map(({ name }) => name).slice(-3)).toEqual(['TICKET', 'General Ext.', 'V']);
  });

  it('tells how many octets are claimed and how many are there', () => {
    const damaged = Uint8Array.from(bytes);
    // Ticket Data length.
    damaged[302] = 0x7f;
    const { stops } = inspectMessage(damaged, { now });
    expect(stops[0]).toMatchObject({
      offset: 304,
      field: 'MIKEY.TICKET.Ticket Data',
      problem: '32637 octets claimed, 203 left',
      expected: '32637 octets',
    });
  });

  it('an unknown payload ends the reading by its number', () => {
    const damaged = Uint8Array.from(bytes);
    damaged[2] = 26;
    const { stops, tree } = inspectMessage(damaged, { now });
    expect(stops).toMatchObject([{ field: 'MIKEY.Next payload', problem: 'payload 26 (SAKKE) is not read here' }]);
    expect(tree.children!.at(-1)).toMatchObject({ name: 'not read', offset: 33, length: bytes.length - 33 });
  });

  it('contradictions of flags are told', () => {
    const damaged = Uint8Array.from(bytes);
    // Octet 1 of the flags: E off, so that I contradicts.
    damaged[188] = damaged[188]! & 0x7f;
    const text = JSON.stringify(inspectMessage(damaged, { now }).tree);
    expect(text).toContain('I needs E');
  });
});

it('an input of thousands of tiny payloads stays bounded', () => {
  const rand = Uint8Array.of(11, 0);
  const bytes = new Uint8Array(10 + 200_000 * 2);
  bytes.set([1, 6, 11, 0, 0, 0, 0, 1, 0, 1]);
  for (let at = 10; at < bytes.length; at += 2) bytes.set(rand, at);
  const { tree, stops } = inspectMessage(bytes, { now });
  expect(count(tree)).toBeLessThanOrEqual(50_002);
  expect(stops.at(-1)?.problem).toBe('too many fields');
});

it('a lone ticket cut anywhere tells where it ends', () => {
  const payload = hex(scenarios[0]!.trace['ticket']!['payload']);
  for (let length = 0; length < payload.length; length++) {
    const { stops, refusal } = inspectLonePayload(payload.subarray(0, length), 'TICKET', true, { now });
    expect(stops.length).toBeGreaterThan(0);
    expect(refusal).toBeDefined();
  }
});
