import { toHex, utf8 } from '../../src/base/bytes.ts';
import type { Random } from '../../src/base/random.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import {
  bytesIdentity,
  createTicketRequest,
  KmsMachine,
  messageTicketFlags,
  sameIdentity,
  uriIdentity,
  type GrantedTicket,
  type KmsOutcome,
  type KmsSubscriber,
  type MikeyIdentity,
  type MikeySuite,
  type ReceivedTransfer,
  type ResolvedTransfer,
  type TicketFlags,
  type TicketResolve,
} from '../../src/protocol/mikey/index.ts';
import { profile } from '../../src/protocol/profile.ts';

export interface TicketWish {
  readonly from: string;
  readonly to: string;
  readonly now: number;
  readonly suite?: MikeySuite;
  readonly flags?: TicketFlags;
}

/** The real key management machine with its users in memory, spoken to without HTTP. */
export class MemoryKms {
  readonly identity = uriIdentity('sip:kms.lab.test');
  readonly #random: Random;
  readonly #machine: KmsMachine;
  readonly #psks = new Map<string, SecretBytes>();

  constructor(users: readonly string[], random: Random) {
    this.#random = random;
    for (const user of users) this.#psks.set(user, new SecretBytes(random.bytes(32)));
    const tpk = { id: bytesIdentity(utf8('tpk-1')), key: new SecretBytes(random.bytes(32)) };
    this.#machine = new KmsMachine({
      identity: this.identity,
      tpks: { current: tpk, find: (id) => (id === undefined || sameIdentity(id, tpk.id) ? tpk.key : undefined) },
      directory: {
        findSubscriber: (pskId) => this.#subscriber(pskId),
        mayRequest: () => true,
        responderFor: (subscriber, responders) => responders.find((responder) => subscriber.owns(responder)),
      },
      rules: profile.ticket,
      random,
    });
  }

  /** A ticket for one-way messages, unless other flags are wished. */
  async grant({ from, to, now, suite = '256', flags = messageTicketFlags }: TicketWish): Promise<GrantedTicket> {
    const request = createTicketRequest({
      suite,
      psk: this.#pskOf(from),
      pskId: pskIdOf(from),
      initiator: uriIdentity(from),
      kms: this.identity,
      responders: [uriIdentity(to)],
      flags,
      keyKind: 'GTGK',
      validFrom: now - profile.ticket.startsBeforeIssueSeconds * 1000,
      validUntil: now + profile.ticket.messageLifetimeSeconds * 1000,
      now,
      random: this.#random,
    });
    return request.accept(messageOf(await this.#machine.handleTicketRequest(request.message, now)), now);
  }

  /** Resolves what `user` received. Throws as the engine would see it when the KMS refuses. */
  async resolve(received: ReceivedTransfer, user: string, now: number): Promise<ResolvedTransfer> {
    const resolve = this.askFor(received, user, now);
    return resolve.accept(await this.answer(resolve, now), now);
  }

  /** The user's half of `resolve`: its question, and what it makes of the answer. */
  askFor(received: ReceivedTransfer, user: string, now: number): TicketResolve {
    return received.createResolve({
      psk: this.#pskOf(user),
      pskId: pskIdOf(user),
      self: uriIdentity(user),
      kms: this.identity,
      now,
      random: this.#random,
    });
  }

  /** The machine's half of `resolve`. */
  async answer(resolve: TicketResolve, now: number): Promise<Uint8Array> {
    return messageOf(await this.#machine.handleTicketResolve(resolve.message, now));
  }

  #pskOf(user: string): SecretBytes {
    const psk = this.#psks.get(user);
    if (psk === undefined) throw new Error(`no such user: ${user}`);
    return psk;
  }

  #subscriber(pskId: MikeyIdentity | undefined): KmsSubscriber | undefined {
    for (const [user, psk] of this.#psks) {
      if (pskId === undefined || toHex(pskId.data) !== toHex(pskIdOf(user).data)) continue;
      const identity = uriIdentity(user);
      return { name: user, psk, identity, owns: (asked) => sameIdentity(asked, identity) };
    }
    return undefined;
  }
}

function pskIdOf(user: string): MikeyIdentity {
  return bytesIdentity(utf8(`psk of ${user}`));
}

function messageOf(outcome: KmsOutcome): Uint8Array {
  const message = 'message' in outcome ? outcome.message : undefined;
  if (message === undefined) throw new Error(`the KMS gave no message: ${outcome.outcome}`);
  return message;
}
