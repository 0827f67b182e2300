import { expect, it } from 'vitest';
import { toHex } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import {
  decodeGrantedTicket,
  encodeGrantedTicket,
  makeTicket,
  msrpTicketFlags,
  type GrantedTicket,
} from '../../../src/protocol/mikey/index.ts';
import { alice, bob, kmsIdentity, makeKms, obtain, random, start } from './parties.ts';

const shown = ({ mpki, mpkr, keys, ...rest }: GrantedTicket) => ({
  ...rest,
  mpki: mpki.use(toHex),
  mpkr: mpkr?.use(toHex),
  keys: keys.map(({ key, ...more }) => ({ ...more, key: key.use(toHex) })),
});

it.each(['128', '256'] as const)('a ticket of suite %s comes back from its stored form as it was', async (suite) => {
  const kms = makeKms({ rules: { rekeyingSeconds: 3_600 } });
  const ticket = await obtain(kms, alice, { suite, rekeyingSeconds: 7_200 });
  const stored = encodeGrantedTicket(ticket);
  const restored = decodeGrantedTicket(stored, start);
  stored.fill(0);
  expect(shown(restored)).toEqual(shown(ticket));
  expect(restored.rekeyBy).toBe(start + 3_600_000);
});

it('a stored form that was cut or changed is refused or another ticket, never a fall', async () => {
  const stored = encodeGrantedTicket(await obtain(makeKms(), alice));
  for (let length = 0; length < stored.length; length++) {
    expect(() => decodeGrantedTicket(stored.slice(0, length), start)).toThrow(ProtocolError);
  }
  for (let at = 0; at < stored.length; at++) {
    const changed = stored.with(at, (stored[at] ?? 0) ^ 0x81);
    try {
      decodeGrantedTicket(changed, start);
    } catch (error) {
      expect(error).toBeInstanceOf(ProtocolError);
    }
  }
});

it('so does a ticket without forking whose keys have salts', async () => {
  const ticket = await obtain(makeKms(), alice, {
    flags: { ...msrpTicketFlags, I: false },
    keys: [{ kind: 'GTGK', saltOctets: 14 }],
  });
  const stored = encodeGrantedTicket(ticket);
  const restored = decodeGrantedTicket(stored, start);
  stored.fill(0);
  expect(restored.mpkr).toBeUndefined();
  expect(restored.keys[0]?.salt).toHaveLength(14);
  expect(shown(restored)).toEqual(shown(ticket));
});

it('so does a ticket that its initiator made itself', () => {
  const ticket = makeTicket({
    suite: '256',
    tpk: { id: alice.pskId, key: alice.psk },
    initiator: alice.identity,
    kms: kmsIdentity,
    responders: [bob.identity],
    flags: { ...msrpTicketFlags, D: false, L: true },
    keys: [{ kind: 'TGK', saltOctets: 14 }],
    validFrom: start - 300_000,
    validUntil: start + 3_600_000,
    now: start,
    random,
  });
  expect(shown(decodeGrantedTicket(encodeGrantedTicket(ticket), start))).toEqual(shown(ticket));
});
