import { describe, expect, it } from 'vitest';

import { randomU32 } from '../../../src/base/random.ts';
import { idRole, timestampRole } from '../../../src/protocol/mikey/code-points.ts';
import {
  createTicketRequest,
  decodeMessage,
  encodeMessage,
  msrpTicketFlags,
  receiveTransfer,
  uriIdentity,
  type MikeyIdentity,
} from '../../../src/protocol/mikey/index.ts';
import { identityPayload } from '../../../src/protocol/mikey/payload-access.ts';
import type { Payload, TicketPolicy } from '../../../src/protocol/mikey/payloads.ts';
import { suites } from '../../../src/protocol/mikey/protection.ts';
import { keyData } from '../../../src/protocol/mikey/ticket-keys.ts';
import { boundPayload, readPolicy, requestedPolicy } from '../../../src/protocol/mikey/ticket-policy.ts';
import { sealRequestInit } from '../../../src/protocol/mikey/ticket-request.ts';
import { ntpTimestamp } from '../../../src/protocol/mikey/timestamp.ts';
import { profile } from '../../../src/protocol/profile.ts';
import {
  alice,
  answered,
  bob,
  hand,
  kmsIdentity,
  makeKms,
  messageTicket,
  obtain,
  protTypes,
  random,
  rawRequest,
  start,
} from './parties.ts';

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

  const named = (change: (policy: TicketPolicy) => TicketPolicy): Uint8Array => {
    const suite = suites['256'];
    const policy = decodeMessage(asking(kmsIdentity)).payloads.find((payload) => payload.payload === 'TP')!.policy;
    return sealRequestInit({
      suite,
      psk: alice.psk,
      pskId: alice.pskId,
      csbId: randomU32(random),
      timestamp: ntpTimestamp(start),
      rand: random.bytes(32),
      initiator: alice.identity,
      kms: kmsIdentity,
      policy: change(policy),
    });
  };
  const without = (dropped: (payload: Payload) => boolean) =>
    named((policy) => ({ ...policy, parameters: policy.parameters.filter((one) => !dropped(one)) }));
  const replaced = (role: number, at: number) =>
    named((policy) => ({
      ...policy,
      parameters: policy.parameters.map((one) =>
        one.payload === 'TR' && one.role === role ? boundPayload(role, at) : one,
      ),
    }));
  const grantedPolicy = async (message: Uint8Array) => {
    const { payloads } = decodeMessage(answered(await makeKms().handleTicketRequest(message, start)));
    return readPolicy(payloads.find((payload) => payload.payload === 'TICKET')!.policy);
  };

  it('bounds a life that the wish leaves open, and names itself and the asker (RFC 6043 6.10)', async () => {
    const bounded = await grantedPolicy(without((one) => one.payload === 'TR'));
    expect(bounded).toMatchObject({
      flags: { K: true },
      validFrom: start - profile.ticket.startsBeforeIssueSeconds * 1000,
      validUntil: start + profile.ticket.sessionLifetimeSeconds * 1000,
    });
    const unnamed = without(
      (one) => one.payload === 'IDR' && (one.role === idRole.kms || one.role === idRole.initiator),
    );
    expect(await grantedPolicy(unnamed)).toMatchObject({ kms: kmsIdentity, initiator: alice.identity });
  });

  it.each([
    ['ended already', replaced(timestampRole.end, start - 1000)],
    ['begins after it would have ended', replaced(timestampRole.start, start + 3_700_000)],
    ['begins later than a ticket may live', replaced(timestampRole.start, start + 400 * 24 * 3_600_000)],
  ])('makes no ticket whose life %s', async (_, message) => {
    expect(await makeKms().handleTicketRequest(message, start)).toMatchObject({
      outcome: 'refused',
      error: { hint: { mikey: 15 } },
    });
  });

  it('makes no ticket in the name of somebody else than the asker', async () => {
    const message = named((policy) => ({
      ...policy,
      parameters: policy.parameters.map((one) =>
        one.payload === 'IDR' && one.role === idRole.initiator ? identityPayload(idRole.initiator, bob.identity) : one,
      ),
    }));
    expect(await makeKms().handleTicketRequest(message, start)).toMatchObject({
      outcome: 'forbidden',
      error: { field: 'kms.initiator' },
    });
  });

  it('reads no wish for keys that is enciphered', async () => {
    const message = named((policy) => ({
      ...policy,
      parameters: policy.parameters.map((one) => (one.payload === 'KEMAC' ? { ...one, encryption: 3 } : one)),
    }));
    expect(await makeKms().handleTicketRequest(message, start)).toMatchObject({
      outcome: 'refused',
      error: { field: 'mikey.policy.KEMAC', hint: { mikey: 15 } },
    });
  });

  it('finds the user whose message names no key by the identity that it claims', async () => {
    const { pskId, ...unnamed } = alice;
    expect(pskId.type).toBe('bytes');
    const { message } = createTicketRequest({
      suite: '256',
      psk: unnamed.psk,
      initiator: alice.identity,
      kms: kmsIdentity,
      responders: [bob.identity],
      flags: msrpTicketFlags,
      validFrom: start,
      validUntil: start + 3_600_000,
      now: start,
      random,
    });
    expect(await makeKms().handleTicketRequest(message, start)).toMatchObject({ outcome: 'answered' });
  });

  it('takes no random value that is shorter than a key', async () => {
    const short = rawRequest(alice, { flags: msrpTicketFlags, randOctets: 15 });
    const outcome = await makeKms().handleTicketRequest(short, start);
    expect(outcome).toMatchObject({ error: { kind: 'malformed', field: 'mikey.RANDR.value' } });
    expect(outcome.outcome).not.toBe('answered');
  });

  it('puts no other KMS’s name into a ticket', async () => {
    const machine = makeKms();
    expect(await machine.handleTicketRequest(asking(kmsIdentity), start)).toMatchObject({ outcome: 'answered' });
    expect(await machine.handleTicketRequest(asking(uriIdentity('sip:kms.example.com')), start)).toMatchObject({
      outcome: 'refused',
      error: { hint: { mikey: 15 } },
    });
  });
});
