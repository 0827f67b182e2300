import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { hmacSha256 } from '../../../src/crypto/digest.ts';
import {
  bytesIdentity,
  KmsMachine,
  receiveTransfer,
  sameIdentity,
  type KmsOutcome,
  type KmsPublicKey,
  type ReceivedTransfer,
  uriIdentity,
} from '../../../src/protocol/mikey/index.ts';
import { profile } from '../../../src/protocol/profile.ts';
import {
  alice,
  answered,
  bob,
  hand,
  kmsIdentity,
  messageTicket,
  protTypes,
  repeatableRandom,
  request,
  resolving,
  start,
  type Party,
} from '../../protocol/mikey/parties.ts';
import { hex, vectors } from '../../protocol/mikey/vectors.ts';
import { words } from '../mutate.ts';

/** Every message of the vectors, and the messages that stand alone. */
export const vectorMessages: readonly Uint8Array[] = [
  ...vectors.scenarios.flatMap(({ messages }) => Object.values(messages).map(hex)),
  ...vectors.unit.error_messages.map(({ message }) => hex(message)),
  hex(vectors.unit.rfc3830_psk['message']),
  hex(vectors.unit.rfc3830_psk['message_null']),
];

/** Payloads that may be put where one was, and pieces of headers. */
export const mikeyTokens: readonly Uint8Array[] = [
  ...vectors.unit.payloads.map((payload) => hex(payload.hex)),
  ...words('sip:alice@lab.test', 'sip:bob@lab.test', 'sip:kms.lab.test', 'alice-key', 'mikey'),
  Uint8Array.of(1, 6, 12, 0),
  Uint8Array.of(0, 2, 1, 1),
];

const tpk = { id: bytesIdentity(utf8('tpk-1')), key: new SecretBytes(hmacSha256(utf8('tpk'))) };

/** A KMS whose memory can be looked at. */
export function observableKms(
  parties: readonly Party[],
  publicKey?: KmsPublicKey,
): {
  readonly machine: KmsMachine;
  readonly remembered: Set<string>;
} {
  const remembered = new Set<string>();
  const machine = new KmsMachine({
    identity: kmsIdentity,
    tpks: { current: tpk, find: (id) => (id !== undefined && sameIdentity(id, tpk.id) ? tpk.key : undefined) },
    directory: {
      findSubscriber: (pskId, claimed) =>
        parties.find((one) =>
          pskId === undefined ? claimed !== undefined && one.owns(claimed) : sameIdentity(one.pskId, pskId),
        ),
      findCertified: (claimed, { uris }) =>
        parties.find(
          (one) => one.owns(claimed) && uris.some((uri) => uri.startsWith('sip:') && one.owns(uriIdentity(uri))),
        ),
      mayRequest: () => true,
      responderFor: (subscriber, responders) => responders.find((responder) => subscriber.owns(responder)),
    },
    rules: {
      startsBeforeIssueSeconds: profile.ticket.startsBeforeIssueSeconds,
      sessionLifetimeSeconds: profile.ticket.sessionLifetimeSeconds,
      messageLifetimeSeconds: profile.ticket.messageLifetimeSeconds,
    },
    replays: {
      remember: (digest) => {
        const name = toHex(digest);
        if (remembered.has(name)) return 'replayed';
        remembered.add(name);
        return 'new';
      },
    },
    random: repeatableRandom('fuzz-kms'),
    ...(publicKey === undefined ? {} : { publicKey }),
  });
  return { machine, remembered };
}

export type KmsKind = 'request' | 'resolve';

export async function ask(machine: KmsMachine, kind: KmsKind, message: Uint8Array): Promise<KmsOutcome> {
  return kind === 'request' ? machine.handleTicketRequest(message, start) : machine.handleTicketResolve(message, start);
}

export function receive(message: Uint8Array): ReceivedTransfer {
  return receiveTransfer(message, { now: start, self: [bob.identity], protTypes, checkFreshness: 'window' });
}

/** One whole exchange for each kind of ticket, whose messages are right at `start`. */
async function exchange(changes: Parameters<typeof request>[1]) {
  const { machine } = observableKms([alice, bob]);
  const asked = request(alice, changes);
  const granted = answered(await ask(machine, 'request', asked.message));
  const ticket = asked.accept(granted, start);
  const transfer = hand(ticket, alice, bob.identity);
  const resolve = resolving(receive(transfer.message), bob);
  const resolved = answered(await ask(machine, 'resolve', resolve.message));
  const answer = ticket.flags.F
    ? resolve.accept(resolved, start).respond({ now: start, random: repeatableRandom('fuzz-answer') }).message
    : undefined;
  return { request: asked.message, granted, ticket, transfer, resolve, resolved, answer, changes };
}

export const exchanges = await Promise.all([exchange({}), exchange({ suite: '128' }), exchange(messageTicket)]);
export { alice, bob, start };
