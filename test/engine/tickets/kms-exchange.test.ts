import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import type { EnginePorts, KmsExchange } from '../../../src/engine/ports.ts';
import { createStaticPskCredential } from '../../../src/engine/tickets/kms-credential.ts';
import { KmsClock } from '../../../src/engine/tickets/kms-clock.ts';
import { exchangeWithKms } from '../../../src/engine/tickets/kms-exchange.ts';
import { TicketService } from '../../../src/engine/tickets/ticket-service.ts';
import { decodeMessage, encodeErrorMessage, identityText } from '../../../src/protocol/mikey/index.ts';
import {
  alice,
  answered,
  bob,
  hand,
  kmsIdentity,
  makeKms,
  obtain,
  random,
  receive,
  request,
  start,
} from '../../protocol/mikey/parties.ts';

const address = { url: 'https://kms.lab.test', bodyEncoding: 'base64' } as const;

/** Ports whose KMS answers as told. */
function portsOf(answer: (message: Uint8Array, kind: KmsExchange) => Uint8Array | Promise<Uint8Array>): EnginePorts {
  return {
    clock: new FakeClock(start),
    random,
    log: silentLogger,
    keyManagement: {
      exchange: async (kind, _kms, message) => ({ status: 200, message: await answer(message, kind) }),
    },
  } as Partial<EnginePorts> as EnginePorts;
}

async function ask(change: (error: Uint8Array) => Uint8Array) {
  const kms = makeKms();
  const asked = request(alice);
  await kms.handleTicketRequest(asked.message, start);
  const repeated = await kms.handleTicketRequest(asked.message, start);
  if (repeated.outcome !== 'refused') throw new Error(repeated.outcome);
  const ports = portsOf(() => change(Uint8Array.from(repeated.message)));
  return exchangeWithKms(ports, address, 'ticketrequest', asked, new KmsClock(ports.clock, ports.log));
}

describe('an Error message from the KMS', () => {
  it('that is authentic is its refusal', async () => {
    await expect(ask((error) => error)).rejects.toMatchObject({ code: 'kms-refused' });
  });

  it('without a MAC says no more than the connection to the KMS vouches for', async () => {
    const bare = (error: Uint8Array) =>
      encodeErrorMessage({ csbId: decodeMessage(error).header.csbId, prf: 1, errorNumbers: [12], now: start });
    await expect(ask(bare)).rejects.toMatchObject({
      code: 'kms-refused',
      message: expect.stringContaining('not authenticated') as string,
    });
  });

  it.each([
    ['with a wrong MAC', (error: Uint8Array) => error.with(error.length - 1, (error.at(-1) ?? 0) ^ 1)],
    ['to another question', (error: Uint8Array) => error.with(4, (error[4] ?? 0) ^ 1)],
  ])('%s is a false answer, not a refusal', async (_name, change) => {
    await expect(ask(change)).rejects.toMatchObject({ code: 'kms-answer-invalid' });
  });
});

describe('the algorithms between a responder and its KMS', () => {
  it.each([
    ['256', 1],
    ['128', 0],
  ] as const)('of an account set to %s are not weakened by a ticket of 128', async (suite, prf) => {
    const kms = makeKms();
    const received = receive(hand(await obtain(kms, alice, { suite: '128' }), alice, bob.identity).message, bob);
    const asked: number[] = [];
    const ports = portsOf(async (message) => {
      asked.push(decodeMessage(message).header.prf);
      return answered(await kms.handleTicketResolve(message, start));
    });
    const service = new TicketService({
      ports,
      self: identityText(bob.identity),
      kms: {
        address,
        identity: identityText(kmsIdentity),
        credential: { mode: 'static-psk', pskId: 'bob-key' },
        suite,
      },
      credential: createStaticPskCredential('bob-key', bob.psk),
    });
    expect((await service.resolve(received)).originProven).toBe(true);
    expect(asked).toEqual([prf]);
  });
});
