import { concatBytes, toHex, utf8 } from '../../base/bytes.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { randomId } from '../../base/random.ts';
import { sha256 } from '../../crypto/digest.ts';
import { profile } from '../../protocol/profile.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import type { EnginePorts } from '../ports.ts';
import { readProtectedMessage, type ReceivedMessage } from '../psk-mime/index.ts';
import { refusal, type Refusal } from '../refusal.ts';
import type { IncomingMessage } from '../sip/index.ts';
import type { AccountStore, SealedMessage } from '../store/index.ts';
import { replayKey } from '../tickets/replay-key.ts';
import type { TicketService } from '../tickets/ticket-service.ts';
import type { Arrivals } from './arrivals.ts';
import { namesAnother, tooManyToTell, type ContentTaker } from './content-taker.ts';
import { Decryptor, type Decrypted } from './decryptor.ts';
import { placeOf, readersOf } from './opened-content.ts';
import { SealedPlaces } from './sealed-places.ts';
import type { Turns } from './turns.ts';
import { isAside, unreadArrival } from './unread-arrival.ts';

export interface SealedArrivalsOptions {
  readonly ports: EnginePorts;
  readonly tickets: TicketService;
  readonly self: string;
  readonly store: AccountStore;
  readonly arrivals: Arrivals;
  readonly taker: ContentTaker;
  readonly turns: Turns;
  readonly onRefused: (peer: string, problem: Refusal) => void;
}

/** A sealed message that is being opened or waits for its key. */
interface Sealed {
  /** In the store of what is sealed, and of the message that it becomes. */
  readonly id: string;
  readonly received: ReceivedMessage;
  /** Of the replay cache: for what was opened. */
  readonly key: Uint8Array;
  /** What tells these very octets from others, while nothing in them is proven. */
  readonly octets: string;
  /** Who the network says it is from, as it says it and in its one form. */
  readonly asserted: string;
  readonly peer: string;
}

const endedTicket = 'The key of the message had ended before it came, and no server gives it any more';

/**
 * Messages that need a key (profile 5.5): durable as they came before they are answered, then opened with the help of the KMS,
 * now or, over restarts, when the key can be had. Shown in the order in which each sender's came.
 */
export class SealedArrivals {
  readonly #options: SealedArrivalsOptions;
  readonly #decryptor: Decryptor;
  readonly #places: SealedPlaces;

  constructor(options: SealedArrivalsOptions) {
    this.#options = options;
    this.#decryptor = new Decryptor(options.ports, options.tickets);
    this.#places = new SealedPlaces(options.store.sealed);
  }

  /** @throws ProtocolError whose SIP hint is the answer. */
  receive(message: IncomingMessage, peer: string): void {
    const { tickets, onRefused } = this.#options;
    if (!tickets.configured) {
      // As a device that cannot do it at all: the sender may then choose another way.
      message.respond(415, { headers: { Accept: 'message/cpim, text/plain' } });
      onRefused(peer, refusal('no-kms', 'received'));
      return;
    }
    const received = this.#read(message, peer);
    if (received === undefined) return;
    const key = keyOf(received);
    const asserted = message.assertedIdentity ?? message.from;
    void this.#take(message, { id: '', received, key, octets: octetsOf(peer, message.body), asserted, peer }).catch(
      (error: unknown) => {
        // Not kept: whoever sent it, or the network on the way, still has it and may try again.
        this.#options.ports.log.log('error', 'message.not-kept', { reason: describeError(error) });
        message.respond(503, { headers: { 'Retry-After': '60' } });
      },
    );
  }

  /** What an earlier run of the program could not open, or what could not be opened until now for want of a key. */
  resume(): void {
    const { store, tickets, ports } = this.#options;
    if (!tickets.configured) return;
    const underWay = this.#places.opening();
    for (const kept of store.sealed.list()) {
      if (underWay.has(kept.id)) continue;
      try {
        this.#reopen(kept);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        ports.log.log('warn', 'message.unreadable', { reason: describeError(error) });
        this.#giveUp(kept.id, refusal('ticket-invalid', 'received', { happened: endedTicket }));
      }
    }
  }

  stop(): void {
    this.#decryptor.stop();
  }

  /** Undefined for a copy of what another device of ours sent to somebody else alone: it is none of our business. */
  #read(message: IncomingMessage, peer: string): ReceivedMessage | undefined {
    const { tickets, self, ports } = this.#options;
    const options = { now: tickets.now(), self: [self], acceptEnded: true };
    try {
      return readProtectedMessage(message.contentType, message.body, options);
    } catch (error) {
      const isForOthers = error instanceof ProtocolError && error.hint.sip === 493 && peer === self;
      if (!isForOthers) throw error;
      ports.log.log('info', 'message.copy-unreadable', { reason: describeError(error) });
      message.respond(200);
      return undefined;
    }
  }

  async #take(message: IncomingMessage, arrived: Sealed): Promise<void> {
    const { ports, store, tickets, onRefused } = this.#options;
    const { received, key, octets, peer, asserted } = arrived;
    const now = tickets.now();
    const isCopy = this.#places.has(octets) || store.seen.has(key, now);
    if (!isCopy && (!this.#places.hasRoomFor(peer) || store.seen.isFull(now, peer))) {
      message.respond(503, { headers: { 'Retry-After': '60' } });
      return;
    }
    if (isCopy) {
      await store.durable();
      // Answered like the first one: it may be the network's own repetition.
      message.respond(200);
      ports.log.log('warn', 'message.replayed', { keyId: received.keyId });
      onRefused(peer, refusal('replayed', 'received'));
      return;
    }
    const sealed = { ...arrived, id: randomId(ports.random, 12) };
    const { validUntil } = received.transfer;
    if (validUntil !== undefined && validUntil < now) return this.#takeEnded(message, sealed);
    this.#places.begin(octets, sealed.id, peer);
    const turn = this.#options.turns.take(peer);
    try {
      const { contentType, body } = message;
      const kept = { id: sealed.id, contentType, body, asserted, receivedAt: ports.clock.now() };
      store.sealed.put(validUntil === undefined ? kept : { ...kept, validUntil });
      await store.durable();
    } catch (error) {
      this.#places.end(octets);
      turn.end();
      throw error;
    }
    message.respond(200);
    await this.#open(sealed, turn).finally(() => this.#places.end(octets));
  }

  /** Nobody can open it: it is shown as that, once. */
  async #takeEnded(message: IncomingMessage, { id, received, key, peer }: Sealed): Promise<void> {
    const { store, arrivals, tickets, onRefused } = this.#options;
    const { claimedId } = received;
    const place = placeOf({ peer, recipients: readersOf(received) }, false).conversation;
    const isKnown =
      claimedId !== undefined && [peer, place].some((one) => store.messages.find(one, 'in', claimedId) !== undefined);
    const seen = { key, until: tickets.now() + profile.replay.messageCacheSeconds * 1000 };
    const problem = refusal('ticket-invalid', 'received', { happened: endedTicket });
    const ended = this.#decryptor.unread(received, peer, problem);
    const kept =
      isKnown || isAside(received)
        ? ({ outcome: 'copy' } as const)
        : await arrivals.keep('message', unreadArrival(id, ended, received), { seen });
    message.respond(200);
    if (kept.outcome !== 'kept') onRefused(peer, refusal('replayed', 'received'));
  }

  #reopen({ id, contentType, body, asserted }: SealedMessage): void {
    const { tickets, self, store, ports } = this.#options;
    const now = tickets.now();
    const received = readProtectedMessage(contentType, body, { now, self: [self], acceptEnded: true });
    const key = keyOf(received);
    const row = store.messages.get(id);
    const peer = row?.from ?? tryKmsUserIdentity(asserted) ?? asserted;
    const octets = octetsOf(peer, body);
    const sealed = { id, received, key, octets, asserted, peer };
    this.#places.begin(octets, id, peer);
    const turn = this.#options.turns.take(peer);
    const { validUntil = Infinity } = received.transfer;
    const opened = validUntil < now ? this.#end(sealed).finally(() => turn.end()) : this.#open(sealed, turn);
    void opened
      .catch((error: unknown) => ports.log.log('error', 'message.unexpected', { reason: describeError(error) }))
      .finally(() => this.#places.end(octets));
  }

  async #open(sealed: Sealed, turn: { readonly before: Promise<void>; end(): void }): Promise<void> {
    try {
      const { received, asserted, peer } = sealed;
      const first = await this.#decryptor.decrypt(received, asserted, peer);
      await turn.before;
      await this.#settle(sealed, first);
      turn.end();
      if (!first.retry) return;
      const later = await this.#decryptor.decryptLater(received, asserted, peer);
      if (later !== undefined) await this.#settle(sealed, later);
      else if (!this.#decryptor.isStopped) await this.#end(sealed);
    } finally {
      turn.end();
    }
  }

  async #settle(sealed: Sealed, decrypted: Decrypted): Promise<void> {
    const { store, taker, tickets, onRefused } = this.#options;
    const { id, received, key } = sealed;
    // The user has removed it meanwhile.
    if (store.sealed.get(id) === undefined) return;
    if (decrypted.content === undefined) return this.#settleUnread(sealed, decrypted);
    const row = store.messages.get(id);
    // Kept under the network's word: it stays unread when its ticket proves another sender.
    if (row !== undefined && row.from !== decrypted.peer) {
      const { level } = decrypted;
      this.#giveUp(id, refusal('policy-not-met', 'received', { happened: namesAnother, reached: level }));
      return;
    }
    const { peer, content, level, evidence, isHonest } = decrypted;
    const taken = await taker.take(
      {
        peer,
        content,
        level,
        evidence,
        sealed: true,
        isHonest,
        isSenderSure: evidence.origin === 'proven',
        recipients: readersOf(received),
      },
      {
        ...(row === undefined ? {} : { unreadId: id }),
        id,
        seen: { key, until: received.rememberUntil, now: tickets.now() },
        rememberUntil: received.rememberUntil,
        also: () => store.sealed.remove(id),
      },
    );
    switch (taken.outcome) {
      case 'taken':
        return;
      case 'copy':
        store.sealed.remove(id);
        if (row !== undefined) this.#giveUp(id, refusal('replayed', 'received'));
        onRefused(peer, refusal('replayed', 'received'));
        return;
      case 'full':
        onRefused(peer, refusal('replayed', 'received', { happened: tooManyToTell }));
        return;
      case 'refused':
        if (row !== undefined) this.#giveUp(id, taken.problem);
        else onRefused(peer, taken.problem);
    }
  }

  /** Its key ended before it was opened. It was answered as taken: so it is shown, as what nobody can read any more. */
  #end(sealed: Sealed): Promise<void> {
    const problem = refusal('ticket-invalid', 'received', { happened: endedTicket });
    return this.#settleUnread(sealed, this.#decryptor.unread(sealed.received, sealed.peer, problem), true);
  }

  /** @param isHopeless nobody will ever read it: it is not kept as it came */
  async #settleUnread(
    { id, received, octets }: Sealed,
    decrypted: Decrypted,
    isHopeless = decrypted.problem?.code === 'decryption-failed',
  ): Promise<void> {
    const { store, arrivals } = this.#options;
    const together = isHopeless ? { also: () => store.sealed.remove(id) } : {};
    const arrival = unreadArrival(id, decrypted, received);
    const row = store.messages.get(id);
    if (isAside(received)) {
      if (isHopeless) store.sealed.remove(id);
    } else if (row === undefined) await arrivals.keep('message', arrival, together);
    else if (isHopeless || row.problem?.explanation !== decrypted.problem?.explanation) {
      await arrivals.change(id, arrival, together);
    }
    if (isHopeless) this.#places.unreadable(octets);
    else if (!decrypted.retry) this.#places.refused(octets, id);
  }

  #giveUp(id: string, problem: Refusal): void {
    const { store, arrivals } = this.#options;
    store.sealed.remove(id);
    arrivals.giveUp(id, problem);
  }
}

/** A replay key holds what the sender chose, at any length. */
function keyOf({ transfer }: ReceivedMessage): Uint8Array {
  return sha256(replayKey(transfer));
}

function octetsOf(peer: string, body: Uint8Array): string {
  return toHex(sha256(concatBytes(utf8(`${peer}\n`), body)));
}
