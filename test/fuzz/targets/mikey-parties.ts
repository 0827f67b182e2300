import { ProtocolError } from '../../../src/base/errors.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { openBaseTicket } from '../../../src/protocol/mikey/base-ticket.ts';
import { decodeMessage } from '../../../src/protocol/mikey/index.ts';
import { readPolicy } from '../../../src/protocol/mikey/ticket-policy.ts';
import { hex, vectors } from '../../protocol/mikey/vectors.ts';
import { hand, request, resolving } from '../../protocol/mikey/parties.ts';
import { ensure, parsed, type FuzzTarget } from '../target.ts';
import { alice, bob, exchanges, mikeyTokens, receive, start, vectorMessages } from './mikey-world.ts';

/** Like `parsed`; a `local` error is right where our own ticket forbids what is asked for. */
function refused(act: () => unknown): boolean {
  try {
    act();
    return false;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return true;
  }
}

/** TRANSFER_INIT from anybody: refused, or a question to the KMS that can be written. */
export const mikeyTransfer: FuzzTarget = {
  name: 'mikey-transfer',
  corpus: [...exchanges.map(({ transfer }) => transfer.message), ...vectorMessages],
  tokens: mikeyTokens,
  check: (input) => {
    const received = parsed(() => receive(input));
    if (received === undefined) return;
    const asked = parsed(() => resolving(received, bob));
    if (asked !== undefined) decodeMessage(asked.message);
  },
};

/** Answers to our own questions: only the very answer is taken, every other is refused with a typed error. */
export const mikeyAnswers: FuzzTarget = {
  name: 'mikey-answers',
  corpus: exchanges.flatMap(({ granted, resolved, answer }) => [
    granted,
    resolved,
    ...(answer === undefined ? [] : [answer]),
  ]),
  tokens: mikeyTokens,
  check: (input, random) => {
    const { changes, ticket, transfer } = random.pick(exchanges);
    ensure(
      refused(() => request(alice, changes).accept(input, start)),
      'an answer to another request was taken',
    );
    const resolve = resolving(receive(transfer.message), bob);
    ensure(
      refused(() => resolve.accept(input, start)),
      'an answer to another resolve was taken',
    );
    if (!ticket.flags.F) return;
    ensure(
      refused(() => hand(ticket, alice, bob.identity).accept(input, start)),
      'an answer to another transfer was taken',
    );
  },
};

const tpks = vectors.scenarios.map(({ inputs }) => new SecretBytes(hex(inputs['tpk'])));

/** Tickets under the TPKs of the vectors: a changed one opens only when what was changed is outside its MAC. */
export const mikeyTicket: FuzzTarget = {
  name: 'mikey-ticket',
  corpus: vectors.scenarios.map(({ messages }) => hex(messages['transfer_init'])),
  tokens: mikeyTokens,
  check: (input) => {
    const message = parsed(() => decodeMessage(input));
    const ticket = message?.payloads.find((payload) => payload.payload === 'TICKET');
    if (ticket?.payload !== 'TICKET') return;
    parsed(() => readPolicy(ticket.policy));
    for (const tpk of tpks) {
      const opened = parsed(() => openBaseTicket(ticket, () => tpk));
      if (opened !== undefined) ensure(opened.mpki.length >= 16 && opened.keys.length < 64, 'keys of odd length');
    }
  },
};
