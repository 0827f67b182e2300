import { describe, expect, it } from 'vitest';

import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { hmacSha256 } from '../../../src/crypto/digest.ts';
import {
  answerWithError,
  bytesIdentity,
  decodeMessage,
  forwardResolve,
  KmsMachine,
  messageTicketFlags,
  msrpTicketFlags,
  sameIdentity,
  uriIdentity,
  type ForeignTicket,
  type IssuerAnswer,
  type KmsMachineOptions,
  type KmsSubscriber,
  type MikeyIdentity,
  type TicketFlags,
} from '../../../src/protocol/mikey/index.ts';
import { sealResolveResponse, type KmsAnswer } from '../../../src/protocol/mikey/resolve-messages.ts';
import { suites } from '../../../src/protocol/mikey/protection.ts';
import { keyData, mpkData } from '../../../src/protocol/mikey/ticket-keys.ts';
import { ntpTimestamp } from '../../../src/protocol/mikey/timestamp.ts';
import { profile } from '../../../src/protocol/profile.ts';
import {
  alice,
  answered,
  bob,
  carol,
  hand,
  kmsIdentity,
  receive,
  repeatableRandom,
  request,
  start,
  type Party,
} from './parties.ts';

const random = repeatableRandom('forward');
const ownKms = uriIdentity('sip:kms.b.test');
const common = { psk: new SecretBytes(hmacSha256(utf8('a and b'))), pskId: bytesIdentity(utf8('a and b')) };

/** The other KMS, as the issuer of `kmsIdentity` sees it. */
const peer: KmsSubscriber = {
  name: 'sip:kms.b.test',
  peer: 'sip:kms.b.test',
  psk: common.psk,
  identity: ownKms,
  owns: (identity) => [bob, carol].some((one) => one.owns(identity)),
};

function machine(
  identity: MikeyIdentity,
  people: readonly (KmsSubscriber & { readonly pskId: MikeyIdentity })[],
  more: Partial<KmsMachineOptions> = {},
): KmsMachine {
  const tpk = { id: bytesIdentity(utf8('tpk')), key: new SecretBytes(hmacSha256(identity.data)) };
  return new KmsMachine({
    identity,
    tpks: { current: tpk, find: () => tpk.key },
    directory: {
      findSubscriber: (pskId) => people.find((one) => pskId !== undefined && sameIdentity(one.pskId, pskId)),
      mayRequest: () => true,
      responderFor: (subscriber, responders) => responders.find((one) => subscriber.owns(one)),
    },
    rules: profile.ticket,
    random,
    ...more,
  });
}

const issuer = () => machine(kmsIdentity, [alice, { ...peer, pskId: common.pskId }]);

async function ticketOf(
  kms: KmsMachine,
  flags: TicketFlags = msrpTicketFlags,
  responders: readonly Party[] = [bob],
): Promise<ForeignTicket & { readonly transfer: ReturnType<typeof hand> }> {
  const asked = request(alice, {
    flags,
    keyKind: flags.F ? 'TGK' : 'GTGK',
    responders: responders.map((one) => one.identity),
  });
  const granted = asked.accept(answered(await kms.handleTicketRequest(asked.message, start)), start);
  const transfer = hand(granted, alice, bob.identity);
  const ticket = decodeMessage(transfer.message).payloads.find((payload) => payload.payload === 'TICKET')!;
  return { issuer: kmsIdentity, initiator: alice.identity, responder: bob.identity, ticket, transfer };
}

describe('a forwarded RESOLVE_INIT', () => {
  it.each([
    ['session tickets', msrpTicketFlags],
    ['message tickets', messageTicketFlags],
    ['tickets without forking', { ...msrpTicketFlags, I: false }],
  ])('brings the keys of %s', async (_, flags) => {
    const kms = issuer();
    const foreign = await ticketOf(kms, flags);
    const forwarded = forwardResolve(foreign, common, { now: start, random });
    const { header, payloads } = decodeMessage(forwarded.message);
    expect(header).toMatchObject({ dataType: 16, prf: 1 });
    expect(payloads).toContainEqual({ payload: 'IDR', role: 2, idType: 1, data: bob.identity.data });
    expect(payloads).toContainEqual(foreign.ticket);
    const outcome = await kms.handleTicketResolve(forwarded.message, start, ['sip:kms.b.test']);
    const answer = forwarded.accept(answered(outcome), start);
    if (answer.answer !== 'keys') throw new Error(answer.answer);
    expect(answer.keys).toHaveLength(flags.I ? 3 : 2);
    expect(answer.fork?.responder).toEqual(flags.I ? bob.identity : undefined);
    expect(outcome).toMatchObject({ subscriber: 'sip:kms.b.test', subject: { asker: bob.identity } });
  });

  it('is the key of a peer that nobody proves by a certificate: like a wrong key', async () => {
    const kms = issuer();
    const foreign = await ticketOf(kms);
    for (const proven of [undefined, [], ['sip:kms.c.test']]) {
      const { message } = forwardResolve(foreign, common, { now: start, random });
      expect(await kms.handleTicketResolve(message, start, proven)).toMatchObject({
        outcome: 'not-authenticated',
        error: { message: 'mikey.V: authentication failed' },
      });
    }
  });

  it('differs from every other, also for the same ticket', async () => {
    const foreign = await ticketOf(issuer());
    const messages = [1, 2, 3].map(() => toHex(forwardResolve(foreign, common, { now: start, random }).message));
    expect(new Set(messages).size).toBe(3);
  });
});

describe('the answer to a forwarded RESOLVE_INIT', () => {
  /** An issuer that holds the common key and answers what it likes. */
  async function answering(
    change: Partial<KmsAnswer> = {},
    fork: { readonly responder: MikeyIdentity; readonly rand: Uint8Array } | undefined = {
      responder: bob.identity,
      rand: random.bytes(32),
    },
    flags: TicketFlags = msrpTicketFlags,
    isForked = true,
  ) {
    const foreign = await ticketOf(issuer(), flags);
    const forwarded = forwardResolve(foreign, common, { now: start, random });
    const { header, payloads } = decodeMessage(forwarded.message);
    const rand = payloads.find((payload) => payload.payload === 'RANDR')!.value;
    const spi = utf8('spi');
    const answer: KmsAnswer = {
      suite: suites['256'],
      psk: common.psk,
      csbId: header.csbId,
      timestamp: ntpTimestamp(start),
      rand,
      kms: kmsIdentity,
      keys: [mpkData(random.bytes(32), spi), mpkData(random.bytes(32), spi), keyData('TGK', random.bytes(32), spi)],
      ...change,
    };
    return () => forwarded.accept(sealResolveResponse(answer, isForked ? fork : undefined, forwarded.message), start);
  }

  it('is taken when it is right', async () => {
    expect((await answering())().answer).toBe('keys');
  });

  it.each([
    ['another KMS answered', { kms: uriIdentity('sip:kms.c.test') }, /another KMS answered/],
    ['another key', { psk: new SecretBytes(new Uint8Array(32)) }, /authentication failed/],
    ['an old time', { timestamp: ntpTimestamp(start - 3600_000) }, /too far from the present/],
    ['another CSB ID', { csbId: 1 }, /another CSB ID/],
    ['too few keys', { keys: [mpkData(new Uint8Array(32), utf8('s'))] }, /MPK missing/],
  ])('is refused with %s', async (_, change, reason) => {
    expect(await answering(change)).toThrow(reason);
  });

  it('is refused when it names nobody of the ticket, or no modifier', async () => {
    const rand = random.bytes(32);
    expect(await answering({}, { responder: carol.identity, rand })).toThrow(/nobody that the ticket names/);
    expect(await answering({}, undefined, msrpTicketFlags, false)).toThrow(/missing with forking/);
  });

  it('is refused with a TGK that would be forked and never answered', async () => {
    expect(await answering({}, undefined, messageTicketFlags)).toThrow(/forked TGK/);
  });

  it('is the refusal of the issuer only under the common key', async () => {
    const kms = issuer();
    const foreign = { ...(await ticketOf(kms)), responder: alice.identity };
    const forwarded = forwardResolve(foreign, common, { now: start, random });
    const outcome = await kms.handleTicketResolve(forwarded.message, start, ['sip:kms.b.test']);
    if (outcome.outcome !== 'forbidden') throw new Error(outcome.outcome);
    expect(forwarded.accept(outcome.message, start)).toMatchObject({
      answer: 'refused',
      error: { kind: 'policy-denied', hint: { mikey: 7 } },
    });
    const other = forwardResolve(foreign, common, { now: start, random });
    expect(() => other.accept(outcome.message, start)).toThrow(/authentication failed/);
    const unproven = answerWithError(forwarded.message, new Error('x'), start)!;
    expect(() => forwarded.accept(unproven, start)).toThrow(/without proof/);
    const changed = Uint8Array.from(unproven);
    changed[7] = changed[7]! ^ 1;
    expect(() => forwarded.accept(changed, start)).toThrow(/answers another message/);
  });
});

describe('a KMS whose user has a ticket of another', () => {
  async function ask(answer: IssuerAnswer | 'none') {
    const seen: ForeignTicket[] = [];
    const kms = machine(
      ownKms,
      [bob],
      answer === 'none'
        ? {}
        : {
            issuers: {
              ask: (foreign) => {
                seen.push(foreign);
                return Promise.resolve(answer);
              },
            },
          },
    );
    const { transfer } = await ticketOf(issuer(), msrpTicketFlags, [bob, carol]);
    const resolve = receive(transfer.message, bob).createResolve({
      psk: bob.psk,
      pskId: bob.pskId,
      self: bob.identity,
      kms: ownKms,
      now: start,
      random,
    });
    return { outcome: await kms.handleTicketResolve(resolve.message, start), seen };
  }
  const spi = utf8('spi');
  const keys = [
    mpkData(new Uint8Array(32), spi),
    mpkData(new Uint8Array(32), spi),
    keyData('TGK', new Uint8Array(32), spi),
  ];
  const error = { kind: 'local' } as never;

  it('asks with the identity that stands in the ticket, and what the initiator sent', async () => {
    const { seen } = await ask({ answer: 'unknown' });
    expect(seen).toMatchObject([{ issuer: kmsIdentity, initiator: alice.identity, responder: bob.identity }]);
    expect(seen[0]!.ticket.initiatorData.length).toBeGreaterThan(0);
  });

  it('without a way to others refuses it', async () => {
    for (const answer of ['none', { answer: 'unknown' }] as const) {
      expect((await ask(answer)).outcome).toMatchObject({
        outcome: 'refused',
        isReplay: false,
        error: { hint: { mikey: 14 } },
        subject: { issuer: kmsIdentity },
      });
    }
  });

  it('hands on how the issuer is', async () => {
    expect((await ask({ answer: 'away', error, retryAfterSeconds: 7 })).outcome).toMatchObject({
      outcome: 'issuer-away',
      retryAfterSeconds: 7,
    });
    expect((await ask({ answer: 'failed', error })).outcome).toMatchObject({ outcome: 'issuer-failed' });
  });

  it('takes no keys for somebody else than its user', async () => {
    const rand = random.bytes(32);
    const taken = await ask({ answer: 'keys', keys, fork: { responder: bob.identity, rand } });
    expect(taken.outcome.outcome).toBe('answered');
    const refused = await ask({ answer: 'keys', keys, fork: { responder: carol.identity, rand } });
    expect(refused.outcome).toMatchObject({ outcome: 'issuer-failed' });
  });

  it('lets a user in, or says when it may come again', async () => {
    const kms = machine(kmsIdentity, [alice], { admission: (subscriber) => (subscriber.peer === undefined ? 9 : 0) });
    expect(await kms.handleTicketRequest(request(alice).message, start)).toMatchObject({
      outcome: 'limited',
      subscriber: 'alice',
      retryAfterSeconds: 9,
    });
  });
});
