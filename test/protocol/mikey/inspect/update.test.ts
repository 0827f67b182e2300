import { describe, expect, it } from 'vitest';

import { SecretBytes } from '../../../../src/base/secret-bytes.ts';
import { decodeMessage, encodeMessage } from '../../../../src/protocol/mikey/index.ts';
import { inspectMessage } from '../../../../src/protocol/mikey/inspect/index.ts';
import {
  answered,
  alice,
  bob,
  hand,
  makeKms,
  messageTicket,
  obtain,
  random,
  receive,
  resolving,
  start,
  type RequestChanges,
} from '../parties.ts';

/** A whole exchange and an update of it; the keys that the initiator has. */
async function updated(changes: RequestChanges) {
  const kms = makeKms();
  const ticket = await obtain(kms, alice, changes);
  const transfer = hand(ticket, alice, bob.identity);
  const resolve = resolving(receive(transfer.message, bob), bob);
  const resolved = resolve.accept(answered(await kms.handleTicketResolve(resolve.message, start)), start);
  const later = start + 1000;
  if (!ticket.flags.F) {
    const update = transfer.bundle().startUpdate({ answerWanted: true, now: later });
    const answer = resolved.bundle().receiveUpdate(update.message, later).respond({ now: later });
    return { ticket, exchange: [transfer.message], update: update.message, answer };
  }
  const response = resolved.respond({ now: start, random });
  const update = transfer.accept(response.message, start).bundle.startUpdate({ answerWanted: true, now: later });
  const answer = response.bundle.receiveUpdate(update.message, later).respond({ now: later });
  return { ticket, exchange: [transfer.message, response.message], update: update.message, answer };
}

describe.each([
  ['with forked keys, after an answer', {}],
  ['after a one-way transfer', messageTicket],
])('a CSB update %s', (_, changes) => {
  it('is verified with the keys of the exchange that it updates, its answer too', async () => {
    const { ticket, exchange, update, answer } = await updated(changes);
    const copy = (key: SecretBytes): SecretBytes => key.use((octets) => new SecretBytes(octets));
    const mpks = [copy(ticket.mpki), ...(ticket.mpkr === undefined ? [] : [copy(ticket.mpkr)])];
    const options = { now: start, mpks, exchange };
    expect(inspectMessage(update, options).findings).toMatchObject([
      { subject: 'V of TRANSFER_INIT', result: 'verified' },
    ]);
    expect(inspectMessage(answer, { ...options, request: update }).findings).toMatchObject([
      { subject: 'V of TRANSFER_RESP', result: 'verified' },
    ]);
    // What cannot be read or belongs to another bundle is passed over.
    const { header, payloads } = decodeMessage(exchange[0]!);
    const foreign = encodeMessage({ header: { ...header, csbId: 1 }, payloads });
    const mixed = { ...options, exchange: [Uint8Array.of(1, 2, 3), foreign, ...exchange] };
    expect(inspectMessage(update, mixed).findings).toMatchObject([{ result: 'verified' }]);
    for (const known of [[], [foreign], exchange.slice(1), ...(ticket.flags.F ? [exchange.slice(0, 1)] : [])]) {
      expect(inspectMessage(update, { ...options, exchange: known }).findings).toMatchObject([
        { result: 'not checked', detail: expect.stringContaining('--exchange') as string },
      ]);
    }
  });
});

it('an earlier message that lacks RANDRi itself is no beginning', async () => {
  const { exchange, update } = await updated({});
  const { header, payloads } = decodeMessage(exchange[0]!);
  const without = encodeMessage({ header, payloads: payloads.filter(({ payload }) => payload !== 'RANDR') });
  for (const message of [update, without]) {
    expect(inspectMessage(message, { now: start, exchange: [without] }).findings[0]).toMatchObject({
      result: 'not checked',
      detail: expect.stringContaining('--exchange') as string,
    });
  }
});
