import { describe, expect, it } from 'vitest';

import { randomU32 } from '../../../src/base/random.ts';
import { timestampRole } from '../../../src/protocol/mikey/code-points.ts';
import {
  decodeMessage,
  encodeMessage,
  msrpTicketFlags,
  receiveTransfer,
  uriIdentity,
  type MikeyIdentity,
} from '../../../src/protocol/mikey/index.ts';
import { suites } from '../../../src/protocol/mikey/protection.ts';
import { keyData } from '../../../src/protocol/mikey/ticket-keys.ts';
import { requestedPolicy } from '../../../src/protocol/mikey/ticket-policy.ts';
import { sealRequestInit } from '../../../src/protocol/mikey/ticket-request.ts';
import { ntpTimestamp } from '../../../src/protocol/mikey/timestamp.ts';
import { profile } from '../../../src/protocol/profile.ts';
import { alice, bob, hand, kmsIdentity, makeKms, messageTicket, obtain, protTypes, random, start } from './parties.ts';

describe('a one-way message whose ticket names no end', async () => {
  const { header, payloads } = decodeMessage(
    hand(await obtain(makeKms(), alice, messageTicket), alice, bob.identity, start).message,
  );
  const endless = encodeMessage({
    header,
    payloads: payloads.map((payload) =>
      payload.payload === 'TICKET'
        ? {
            ...payload,
            policy: {
              ...payload.policy,
              parameters: payload.policy.parameters.filter(
                (one) => one.payload !== 'TR' || one.role !== timestampRole.end,
              ),
            },
          }
        : payload,
    ),
  });
  const at = (now: number) =>
    receiveTransfer(endless, { now, self: [bob.identity], protTypes, checkFreshness: 'ticket' });
  const remembered = profile.replay.messageCacheSeconds * 1000;

  it('is taken as long as a copy of it would be recognised', () => {
    expect(at(start + remembered).validUntil).toBeUndefined();
  });

  it('is refused afterwards, or a copy would be new again', () => {
    expect(() => at(start + remembered + 1)).toThrow(
      expect.objectContaining({ kind: 'expired', hint: { mikey: 1 } }) as Error,
    );
  });
});

describe('the KMS', () => {
  const asking = (kmsOfTicket: MikeyIdentity): Uint8Array => {
    const suite = suites['256'];
    return sealRequestInit({
      suite,
      psk: alice.psk,
      pskId: alice.pskId,
      csbId: randomU32(random),
      timestamp: ntpTimestamp(start),
      rand: random.bytes(32),
      initiator: alice.identity,
      kms: kmsIdentity,
      policy: requestedPolicy({
        ticketType: 2,
        suite,
        flags: msrpTicketFlags,
        kms: kmsOfTicket,
        initiator: alice.identity,
        responders: [bob.identity],
        validFrom: start,
        validUntil: start + 3_600_000,
        keys: [keyData('TGK', new Uint8Array(32), random.bytes(4))],
      }),
    });
  };

  it('puts no other KMS’s name into a ticket', async () => {
    const machine = makeKms();
    expect(await machine.handleTicketRequest(asking(kmsIdentity), start)).toMatchObject({ outcome: 'answered' });
    expect(await machine.handleTicketRequest(asking(uriIdentity('sip:kms.example.com')), start)).toMatchObject({
      outcome: 'refused',
      error: { hint: { mikey: 15 } },
    });
  });
});
