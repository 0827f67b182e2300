import { expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import type { EnginePorts } from '../../../src/engine/ports.ts';
import {
  createKmsCredential,
  createStaticPskCredential,
  type KmsCredential,
} from '../../../src/engine/tickets/kms-credential.ts';
import { TicketService } from '../../../src/engine/tickets/ticket-service.ts';
import { identityText } from '../../../src/protocol/mikey/index.ts';
import { alice, answered, bob, kmsIdentity, makeKms, random, start } from '../../protocol/mikey/parties.ts';

const kms = {
  address: { url: 'https://kms.lab.test', bodyEncoding: 'base64' },
  identity: identityText(kmsIdentity),
  credential: { mode: 'static-psk', pskId: 'alice-key' },
  suite: '256',
} as const;
const bobUri = identityText(bob.identity);

/** A KMS that answers 401 so many times before it does its work. */
function service(credential: KmsCredential, rejections: number): TicketService {
  const machine = makeKms();
  let left = rejections;
  const ports = {
    clock: new FakeClock(start),
    random,
    log: silentLogger,
    keyManagement: {
      exchange: async (_kind: unknown, _kms: unknown, message: Uint8Array) =>
        left-- > 0
          ? { status: 401, message: undefined }
          : { status: 200, message: answered(await machine.handleTicketRequest(message, start)) },
    },
  } as Partial<EnginePorts> as EnginePorts;
  return new TicketService({ ports, self: identityText(alice.identity), kms, credential });
}

/** A credential that can make `fresh` new keys. */
function renewable(fresh: number): KmsCredential & { readonly renewals: () => number } {
  const inner = createStaticPskCredential('alice-key', alice.psk);
  let renewals = 0;
  return {
    ...inner,
    mode: 'gba-digest',
    rejected: () => {
      renewals++;
      return Promise.resolve(renewals > fresh ? 'give-up' : 'retry');
    },
    renewals: () => renewals,
  };
}

it('a key given by hand that the KMS rejects is given up at once', async () => {
  const credential = createStaticPskCredential('alice-key', alice.psk);
  await expect(service(credential, 1).ticketFor(bobUri, 'message')).rejects.toMatchObject({ code: 'kms-refused' });
});

it('a key that can be made anew is made anew once, and the question asked again', async () => {
  const credential = renewable(5);
  const ticket = await service(credential, 1).ticketFor(bobUri, 'message');
  expect(ticket.responders.map(identityText)).toEqual([bobUri]);
  expect(credential.renewals()).toBe(1);
});

it('a fresh key that is rejected as well is not renewed without end', async () => {
  const credential = renewable(5);
  await expect(service(credential, 99).ticketFor(bobUri, 'message')).rejects.toMatchObject({ code: 'kms-refused' });
  expect(credential.renewals()).toBe(1);
});

it('an account without the secret of its credential has none', () => {
  expect(createKmsCredential(kms, { password: alice.psk })).toBeUndefined();
  expect(createKmsCredential(kms, { password: alice.psk, kmsPsk: alice.psk })?.mode).toBe('static-psk');
});
