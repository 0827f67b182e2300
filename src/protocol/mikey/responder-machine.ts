import { concatBytes } from '../../base/bytes.ts';
import { ByteWriter } from '../../base/byte-writer.ts';
import { assertProtocolError, ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { profile } from '../profile.ts';
import type { CryptoSessionBundle } from './bundle-types.ts';
import { mikeyError } from './code-points.ts';
import type { CounterMemory } from './counter-memory.ts';
import { answerWithError } from './error-message.ts';
import type { MikeyIdentity } from './identity.ts';
import type { PeerRules } from './key-types.ts';
import type { DialogEvent, KmsAccess, KmsEvent, MachineAction } from './machine-types.ts';
import { receiveTransfer } from './receive-transfer.ts';
import type {
  OpenOptions,
  ReceivedTransfer,
  ResolvedTransfer,
  RespondOptions,
  TicketResolve,
} from './receive-types.ts';
import type { ReplayCache } from './replay-cache.ts';
import { emptySecurityPolicy } from './session-negotiation.ts';

export interface ResponderMachineOptions {
  /** Ours; the first one resolves and is meant where a message names nobody. */
  readonly self: readonly [MikeyIdentity, ...MikeyIdentity[]];
  readonly groups?: readonly MikeyIdentity[];
  /** Without it only tickets that we can open ourselves are taken. */
  readonly kms?: KmsAccess;
  /** Modes 2 and 4. */
  readonly findTpk?: OpenOptions['findTpk'];
  readonly protTypes: readonly number[];
  readonly maxSessions?: number;
  readonly peer?: PeerRules;
  /** Without it COUNTER is refused. */
  readonly counters?: CounterMemory;
  /** Authenticated messages that were taken. */
  readonly replays: ReplayCache;
  /** Only messages whose origin the KMS proves (flag I) are taken. */
  readonly requireOrigin: boolean;
  /** What our answers carry besides what they must. */
  readonly answer?: Omit<RespondOptions, 'now' | 'random'>;
  /** Most messages that wait for the KMS; more are refused before it is asked (RFC 6043 12.3). */
  readonly maxPending: number;
  /** Most dialogs with keys. */
  readonly maxDialogs: number;
  readonly random: Random;
}

export type ResponderEvent =
  { readonly type: 'transfer-init'; readonly dialog: string; readonly message: Uint8Array } | KmsEvent | DialogEvent;

interface Pending {
  readonly dialog: string;
  readonly message: Uint8Array;
  readonly received: ReceivedTransfer;
  readonly resolve: TicketResolve;
}

/** What makes one TRANSFER_INIT different from every other (profile 5.5): IDRi, CSB ID, T, SHA-256(V). */
function replayKey({ csbId, messageTime, macHash, initiator }: ReceivedTransfer): Uint8Array {
  const time = 'count' in messageTime ? messageTime.count : messageTime.milliseconds;
  const numbers = new ByteWriter().u32(csbId).u64(BigInt.asUintN(64, BigInt(Math.trunc(time))));
  return concatBytes(numbers.finish(), macHash, initiator.data);
}

/**
 * The responder's side of the Ticket Transfer: takes TRANSFER_INIT, has the ticket resolved or opens it, answers, and keeps the bundle
 * of each dialog for CSB updates. No state changes for a message that has not proved authentic.
 */
export class ResponderMachine {
  readonly #options: ResponderMachineOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #bundles = new Map<string, CryptoSessionBundle>();
  #questions = 0;

  constructor(options: ResponderMachineOptions) {
    this.#options = options;
  }

  handle(event: ResponderEvent, now: number): readonly MachineAction[] {
    switch (event.type) {
      case 'transfer-init':
        return this.#attempt(event, now, () => this.#receive(event.dialog, event.message, now));
      case 'kms-answer':
        return this.#resolved(event.question, event.message, now);
      case 'kms-failed':
        return this.#unresolved(event.question, now);
      case 'update':
        return this.#update(event.dialog, event.message, now);
      case 'dialog-ended':
        this.#bundles.get(event.dialog)?.dispose();
        this.#bundles.delete(event.dialog);
        for (const [question, { dialog }] of this.#pending) {
          if (dialog === event.dialog) this.#pending.delete(question);
        }
        return [];
    }
  }

  #receive(dialog: string, message: Uint8Array, now: number): readonly MachineAction[] {
    const { self, groups, protTypes, maxSessions, peer, counters, findTpk, requireOrigin } = this.#options;
    const received = receiveTransfer(message, {
      now,
      self,
      protTypes,
      checkFreshness: 'window',
      ...(groups === undefined ? {} : { groups }),
      ...(maxSessions === undefined ? {} : { maxSessions }),
      ...(peer === undefined ? {} : { peer }),
      ...(counters === undefined ? {} : { isCounterFresh: (sender, count) => counters.isFresh(sender, count) }),
    });
    if (requireOrigin && !received.flags.I)
      refuse('a ticket that proves no origin', 'flags', mikeyError.invalidTicketPolicy);
    if (this.#options.replays.has(replayKey(received), now)) refuseReplayed();
    if (this.#bundles.has(dialog)) refuse('the dialog has its keys', 'dialog', mikeyError.unspecified);
    if (!received.flags.E && findTpk !== undefined) {
      const resolved = received.openTicket({
        findTpk,
        self: self[0],
        ...(groups === undefined ? {} : { groups }),
        now,
      });
      return this.#answer(dialog, received, resolved, now);
    }
    return [this.#ask(dialog, message, received, now)];
  }

  #ask(dialog: string, message: Uint8Array, received: ReceivedTransfer, now: number): MachineAction {
    const { kms, self, random, maxPending } = this.#options;
    if (kms === undefined) return refuse('no KMS to resolve the ticket', 'TICKET', mikeyError.invalidTicket);
    if (this.#pending.size >= maxPending) refuse('too many tickets to resolve', 'pending', mikeyError.unspecified);
    // The sender chose the ticket's suite; it must not choose a weaker one for us and our KMS.
    const suite = kms.suite === '256' ? kms.suite : undefined;
    const resolve = received.createResolve({
      ...kms.credential(now),
      ...(suite === undefined ? {} : { suite }),
      self: self[0],
      kms: kms.identity,
      now,
      random,
    });
    const question = ++this.#questions;
    this.#pending.set(question, { dialog, message, received, resolve });
    return { type: 'ask-kms', question, message: resolve.message };
  }

  #resolved(question: number, answer: Uint8Array, now: number): readonly MachineAction[] {
    const pending = this.#pending.get(question);
    if (pending === undefined) return [];
    this.#pending.delete(question);
    return this.#attempt(pending, now, () => {
      const resolved = pending.resolve.accept(answer, now);
      return this.#answer(pending.dialog, pending.received, resolved, now);
    });
  }

  #unresolved(question: number, now: number): readonly MachineAction[] {
    const pending = this.#pending.get(question);
    if (pending === undefined) return [];
    this.#pending.delete(question);
    return this.#attempt(pending, now, () =>
      refuse('the ticket could not be resolved', 'TICKET', mikeyError.invalidTicket),
    );
  }

  /** The message is authentic from here on. */
  #answer(
    dialog: string,
    received: ReceivedTransfer,
    resolved: ResolvedTransfer,
    now: number,
  ): readonly MachineAction[] {
    const { random, answer, maxDialogs } = this.#options;
    try {
      this.#refuseReplay(received, now);
      if (this.#bundles.has(dialog) || this.#bundles.size >= maxDialogs) {
        refuse('no room for another dialog', 'dialog', mikeyError.unspecified);
      }
      const made = received.flags.F ? resolved.respond({ ...answer, now, random }) : { bundle: resolved.bundle() };
      this.#bundles.set(dialog, made.bundle);
      const { initiator: peer, originProven } = resolved;
      const sent: MachineAction[] = 'message' in made ? [{ type: 'send', dialog, message: made.message }] : [];
      return [...sent, { type: 'established', dialog, bundle: made.bundle, peer, originProven }];
    } catch (error) {
      assertProtocolError(error);
      return [
        { type: 'refused', dialog, error },
        { type: 'send', dialog, message: resolved.refuse(error, now) },
      ];
    }
  }

  #refuseReplay(received: ReceivedTransfer, now: number): void {
    const { replays, counters } = this.#options;
    const time = received.messageTime;
    if ('count' in time && counters?.advance(received.initiator, time.count) !== true) refuseReplayed();
    const until = received.timestamp + 2 * profile.replay.clockSkewSeconds * 1000;
    const seen = replays.add(replayKey(received), until, now);
    if (seen === 'replayed') refuseReplayed();
    if (seen === 'full') refuse('too many messages', 'replays', mikeyError.unspecified);
  }

  #update(dialog: string, message: Uint8Array, now: number): readonly MachineAction[] {
    return updateBundle(this.#bundles.get(dialog), dialog, message, now);
  }

  /** A failure becomes an Error message without V: the sender has not been proven, or only the KMS could prove it. */
  #attempt(
    { dialog, message }: { readonly dialog: string; readonly message: Uint8Array },
    now: number,
    action: () => readonly MachineAction[],
  ): readonly MachineAction[] {
    try {
      return action();
    } catch (error) {
      assertProtocolError(error);
      // RFC 6043 5.4: parameters that we support: of each protocol none.
      const supported = this.#options.protTypes.map((protType, index) => emptySecurityPolicy(protType, index));
      const answer = answerWithError(message, error, now, undefined, supported);
      const refused: MachineAction = { type: 'refused', dialog, error };
      return answer === undefined ? [refused] : [refused, { type: 'send', dialog, message: answer }];
    }
  }
}

/** A CSB update of the other end (RFC 6043 5.2), answered where it wants an answer. */
export function updateBundle(
  bundle: CryptoSessionBundle | undefined,
  dialog: string,
  message: Uint8Array,
  now: number,
): readonly MachineAction[] {
  try {
    if (bundle === undefined) return refuse('no such dialog', 'dialog', mikeyError.unspecified);
    const update = bundle.receiveUpdate(message, now);
    const sent: MachineAction[] = update.answerWanted
      ? [{ type: 'send', dialog, message: update.respond({ now }) }]
      : [];
    return [...sent, { type: 'updated', dialog }];
  } catch (error) {
    assertProtocolError(error);
    const answer = bundle?.errorFor(message, error, now);
    const refused: MachineAction = { type: 'refused', dialog, error };
    return answer === undefined ? [refused] : [refused, { type: 'send', dialog, message: answer }];
  }
}

function refuse(problem: string, field: string, mikey: number): never {
  throw new ProtocolError('policy-denied', problem, { field: `mikey.responder.${field}`, hint: { mikey } });
}

function refuseReplayed(): never {
  throw new ProtocolError('peer-misbehaved', 'replayed', {
    field: 'mikey.TRANSFER_INIT.T',
    hint: { mikey: mikeyError.invalidTimestamp },
  });
}
