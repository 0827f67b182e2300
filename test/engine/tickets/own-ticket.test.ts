import { describe, expect, it } from 'vitest';

import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { FakeClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import type { EnginePorts } from '../../../src/engine/ports.ts';
import { createStaticPskCredential } from '../../../src/engine/tickets/kms-credential.ts';
import { makeOwnTicket } from '../../../src/engine/tickets/own-ticket.ts';
import type { TicketKind } from '../../../src/engine/tickets/ticket-cache.ts';
import { TicketService } from '../../../src/engine/tickets/ticket-service.ts';
import { createMemoryKmsService } from '../../../src/kms/kms-service.ts';
import {
  bytesIdentity,
  createTransfer,
  receiveTransfer,
  uriIdentity,
  type GrantRules,
} from '../../../src/protocol/mikey/index.ts';
import { profile } from '../../../src/protocol/profile.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const random = seededRandom('own tickets');
const now = Date.UTC(2026, 0, 1);
const identity = 'sip:kms.lab.test';
const person = (name: string, changes: object = {}) => ({
  identities: [`sip:${name}@lab.test`],
  pskId: `${name}-key`,
  psk: new SecretBytes(random.bytes(32)),
  ...changes,
});
const alice = person('alice');
const bob = person('bob');
const carol = person('carol', { allowedResponders: ['sip:alice@lab.test'] });
const kms = { identity, suite: '256' } as const;
const keyOf = ({ psk, pskId }: typeof alice) => ({ psk, pskId: bytesIdentity(utf8(pskId)) });

const service = (rules: Partial<GrantRules>) =>
  createMemoryKmsService({
    config: { identity, users: [alice, bob, carol], rules },
    clock: { now: () => now },
    random,
  });

/** A ticket of `from` to Bob, up to his question to the KMS. */
function handed(from: typeof alice, kind: TicketKind, self = from.identities[0]!) {
  const recipient = 'sip:bob@lab.test';
  const ticket = makeOwnTicket(kms, keyOf(from), {
    self: uriIdentity(self),
    recipients: [recipient],
    kind,
    now,
    random,
  });
  const transfer = createTransfer({
    ticket,
    initiator: uriIdentity(self),
    responder: uriIdentity(recipient),
    protType: profile.mikey.protTypeTls,
    csId: 1,
    now,
    random,
  });
  const received = receiveTransfer(transfer.message, {
    now,
    self: [uriIdentity(recipient)],
    protTypes: [profile.mikey.protTypeTls],
    checkFreshness: 'window',
  });
  const resolve = received.createResolve({
    ...keyOf(bob),
    self: uriIdentity(recipient),
    kms: uriIdentity(identity),
    now,
    random,
  });
  return { ticket, transfer, resolve };
}

describe('a ticket that an account makes itself', () => {
  it.each<TicketKind>(['session', 'message'])(
    'keys a %s where the KMS allows it, and proves its origin',
    async (kind) => {
      const { transfer, resolve } = handed(alice, kind);
      const allowing = await service({ ticketsMadeByUsers: true });
      const outcome = await allowing.handle('ticketresolve', resolve.message, { address: '192.0.2.1' });
      if (outcome.outcome !== 'answered') throw new Error(outcome.outcome);
      const resolved = resolve.accept(outcome.message, now);
      expect(resolved.originProven).toBe(true);
      if (kind === 'message') {
        expect(resolved.sessionKey().use(toHex)).toBe(transfer.sessionKey().use(toHex));
      } else {
        const answer = resolved.respond({ now, random });
        expect(transfer.accept(answer.message, now).tek.use(toHex)).toBe(answer.tek.use(toHex));
      }
      await allowing.close();
    },
  );

  it('is refused by a KMS that does not allow it, in another’s name, and to whom its maker may not send', async () => {
    const strict = await service({});
    const allowing = await service({ ticketsMadeByUsers: true });
    const rows = [
      { kms: strict, resolve: handed(alice, 'session').resolve },
      { kms: allowing, resolve: handed(alice, 'session', 'sip:carol@lab.test').resolve },
      { kms: allowing, resolve: handed(carol, 'session').resolve },
    ];
    for (const row of rows) {
      const outcome = await row.kms.handle('ticketresolve', row.resolve.message, { address: '192.0.2.1' });
      expect(outcome).toMatchObject({ outcome: 'refused', error: { hint: { mikey: 14 } } });
    }
    await strict.close();
    await allowing.close();
  });

  it('ends no later than its key, and needs a key that the KMS has too', () => {
    const key = { ...keyOf(alice), validUntil: now + 60_000 };
    const wish = {
      self: uriIdentity('sip:alice@lab.test'),
      recipients: ['sip:bob@lab.test'],
      kind: 'session',
      now,
      random,
    } as const;
    expect(makeOwnTicket(kms, key, wish).validUntil).toBe(now + 60_000);
    const certificate = { certificate: undefined as never };
    expect(() => makeOwnTicket(kms, certificate, wish)).toThrow(expect.objectContaining({ code: 'no-kms' }) as Error);
  });
});

it('is made once, kept for the next session, and asks the KMS nothing', async () => {
  const asked: string[] = [];
  const ports = {
    clock: new FakeClock(now),
    random,
    log: silentLogger,
    keyManagement: {
      exchange: (kind: string) => {
        asked.push(kind);
        return Promise.reject(new Error('not to be asked'));
      },
    },
  } as Partial<EnginePorts> as EnginePorts;
  const service = new TicketService({
    ports,
    self: 'sip:alice@lab.test',
    kms: {
      address: { url: 'https://kms.lab.test', bodyEncoding: 'base64' },
      identity,
      credential: { mode: 'static-psk', pskId: alice.pskId },
      suite: '256',
      ticketsMadeHere: true,
    },
    credential: createStaticPskCredential(alice.pskId, alice.psk),
  });
  const first = await service.ticketFor('sip:bob@lab.test', 'session');
  expect(first.flags).toMatchObject({ D: false, E: true, I: true, L: true });
  expect(await service.ticketFor('sip:bob@lab.test', 'session')).toBe(first);
  expect(asked).toEqual([]);
  await service.stop();
});
