import { describe, expect, test } from 'vitest';
import {
  decideStream,
  type StreamCircumstances,
  type StreamFacts,
} from '../../../src/engine/sessions/session-decision.ts';

const tls = { protocol: 'TCP/TLS/MSRP', fingerprint: true, keyManagement: false, indicator: undefined } as const;
const clear = { protocol: 'TCP/MSRP', fingerprint: false, keyManagement: false, indicator: undefined } as const;
const trusted = { signallingProtected: true, e2aeAllowed: true, inferFromRegistration: false } as const;

const e2ae = { mode: 'fingerprint', level: 'e2ae', indication: 'applied' };
const unverified = { mode: 'fingerprint', level: 'unverified', indication: 'none' };
const none = { mode: 'plain', level: 'none' };
const psk = { mode: 'psk' };
const abort = { mode: 'abort', code: 'peer-incompatible' };

type Row = readonly [string, StreamFacts, Partial<StreamCircumstances>, object];

describe('profile 2.5', () => {
  const rows: readonly Row[] = [
    ['fingerprint and applied', { ...tls, indicator: 'applied' }, { sent: 'requested' }, e2ae],
    ['fingerprint, no indication', tls, { sent: 'requested' }, unverified],
    [
      'fingerprint, no indication, inferring is on and the network announced it',
      tls,
      { sent: 'requested', inferFromRegistration: true },
      { mode: 'fingerprint', level: 'e2ae', indication: 'inferred-from-registration' },
    ],
    [
      'fingerprint, no indication, inferring is on but the network announced nothing',
      tls,
      { sent: 'requested', inferFromRegistration: true, e2aeAllowed: false },
      unverified,
    ],
    ['TLS without fingerprint or key', { ...tls, fingerprint: false }, { sent: 'requested' }, abort],
    ['TCP/MSRP', clear, { sent: 'requested' }, none],
    ['offer with fingerprint and applied', { ...tls, indicator: 'applied' }, { sent: 'nothing' }, e2ae],
    ['offer with fingerprint only', tls, { sent: 'nothing' }, unverified],
    [
      'offer with fingerprint only, inferring is for answers',
      tls,
      { sent: 'nothing', inferFromRegistration: true },
      unverified,
    ],
    ['offer with key management', { ...tls, fingerprint: false, keyManagement: true }, { sent: 'nothing' }, psk],
    [
      'offer with key management and applied',
      { ...tls, keyManagement: true, indicator: 'applied' },
      { sent: 'nothing' },
      psk,
    ],
    ['offer with requested left in', { ...tls, indicator: 'requested' }, { sent: 'nothing' }, unverified],
    ['offer of TLS without fingerprint or key', { ...tls, fingerprint: false }, { sent: 'nothing' }, abort],
    ['offer of TCP/MSRP', clear, { sent: 'nothing' }, none],
  ];

  test.each(rows)('%s', (_name, stream, when, expected) => {
    expect(decideStream(stream, { ...trusted, sent: 'nothing', ...when })).toMatchObject(expected);
  });
});

describe('never more than was proven', () => {
  const rows: readonly Row[] = [
    [
      'applied over signalling that anybody could write',
      { ...tls, indicator: 'applied' },
      { signallingProtected: false },
      unverified,
    ],
    [
      'applied from a network that does not do it',
      { ...tls, indicator: 'applied' },
      { e2aeAllowed: false },
      unverified,
    ],
    ['key management on an unencrypted stream', { ...clear, keyManagement: true }, {}, abort],
    ['no key management in the answer to it', { ...tls, indicator: 'applied' }, { sent: 'key-management' }, abort],
    ['unencrypted answer to key management', clear, { sent: 'key-management' }, abort],
    [
      'unencrypted answer with key management to key management',
      { ...clear, keyManagement: true },
      { sent: 'key-management' },
      abort,
    ],
    ['TLS in the answer to a plain offer', { ...tls, indicator: 'applied' }, { sent: 'plain' }, abort],
    [
      'key management in the answer that nobody offered',
      { ...tls, fingerprint: false, keyManagement: true },
      { sent: 'requested' },
      abort,
    ],
  ];

  test.each(rows)('%s', (_name, stream, when, expected) => {
    expect(decideStream(stream, { ...trusted, sent: 'nothing', ...when })).toMatchObject(expected);
  });
});
