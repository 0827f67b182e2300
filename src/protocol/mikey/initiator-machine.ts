import { toHex } from '../../base/bytes.ts';
import { assertProtocolError, ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { sha256 } from '../../crypto/digest.ts';
import type { CryptoSessionBundle } from './bundle-types.ts';
import { mikeyError } from './code-points.ts';
import type { TicketFlags } from './flags.ts';
import type { MikeyIdentity } from './identity.ts';
import type { AnswerRules, KeyWish } from './key-types.ts';
import type { DialogEvent, KmsAccess, KmsEvent, MachineAction } from './machine-types.ts';
import { updateBundle } from './responder-machine.ts';
import { createTicketRequest } from './ticket-request.ts';
import type { GrantedTicket, TicketRequest } from './ticket-types.ts';
import { createTransfer } from './transfer.ts';
import type { OfferedSessions, Transfer } from './transfer-types.ts';

export interface InitiatorMachineOptions {
  readonly self: MikeyIdentity;
  /** Without it every ticket is handed in (made here, or had from elsewhere). */
  readonly kms?: KmsAccess;
  readonly flags: TicketFlags;
  readonly keys: readonly KeyWish[];
  readonly startsBeforeIssueSeconds: number;
  readonly lifetimeSeconds: number;
  readonly sessions: OfferedSessions;
  readonly sdpIds?: string;
  readonly answers?: AnswerRules;
  /** Most calls at a time, and most dialogs of one call. */
  readonly maxCalls: number;
  readonly maxDialogs: number;
  readonly random: Random;
}

export type InitiatorEvent =
  /** Starts a call; with a ticket at once, without one after the KMS gave it. */
  | { readonly type: 'call'; readonly call: string; readonly to: MikeyIdentity; readonly ticket?: GrantedTicket }
  /** TRANSFER_RESP of one endpoint; each has a dialog of its own. */
  | { readonly type: 'answer'; readonly call: string; readonly dialog: string; readonly message: Uint8Array }
  /** No further endpoint may answer: the call was taken, cancelled or given up. Its dialogs go on. */
  | { readonly type: 'call-settled'; readonly call: string }
  | KmsEvent
  | DialogEvent;

interface Call {
  readonly name: string;
  readonly transfer: Transfer;
  /** Digest of the answer that gave each dialog its keys. */
  readonly answers: Map<string, string>;
}

interface Asking {
  readonly call: string;
  readonly to: MikeyIdentity;
  readonly request: TicketRequest;
}

/**
 * The initiator's side: Ticket Request, Ticket Transfer, and one bundle for each endpoint that answers a forked invitation. Actions that
 * belong to a call as a whole have its name in `dialog`.
 */
export class InitiatorMachine {
  readonly #options: InitiatorMachineOptions;
  readonly #asking = new Map<number, Asking>();
  readonly #calls = new Map<string, Call>();
  readonly #bundles = new Map<string, CryptoSessionBundle>();
  #questions = 0;

  constructor(options: InitiatorMachineOptions) {
    this.#options = options;
  }

  handle(event: InitiatorEvent, now: number): readonly MachineAction[] {
    switch (event.type) {
      case 'call':
        return attempt(event.call, () =>
          event.ticket === undefined
            ? [this.#ask(event.call, event.to, now)]
            : [this.#invite(event.call, event.to, event.ticket, now)],
        );
      case 'kms-answer':
        return this.#granted(event.question, event.message, now);
      case 'kms-failed': {
        const asking = this.#asking.get(event.question);
        this.#asking.delete(event.question);
        if (asking === undefined) return [];
        return attempt(asking.call, () => refuse('the KMS gave no ticket', 'ticket'));
      }
      case 'answer':
        return this.#answer(event.call, event.dialog, event.message, now);
      case 'call-settled':
        this.#calls.delete(event.call);
        for (const [question, { call }] of this.#asking) if (call === event.call) this.#asking.delete(question);
        return [];
      case 'update':
        return updateBundle(this.#bundles.get(event.dialog), event.dialog, event.message, now);
      case 'dialog-ended':
        this.#bundles.get(event.dialog)?.dispose();
        this.#bundles.delete(event.dialog);
        return [];
    }
  }

  #ask(call: string, to: MikeyIdentity, now: number): MachineAction {
    const { kms, self, flags, keys, startsBeforeIssueSeconds, lifetimeSeconds, random } = this.#options;
    this.#refuseTooMany(call);
    if (kms === undefined) return refuse('no KMS to ask for a ticket', 'kms');
    const request = createTicketRequest({
      ...kms.credential(now),
      suite: kms.suite,
      initiator: self,
      kms: kms.identity,
      responders: [to],
      flags,
      keys,
      validFrom: now - startsBeforeIssueSeconds * 1000,
      validUntil: now + lifetimeSeconds * 1000,
      now,
      random,
    });
    const question = ++this.#questions;
    this.#asking.set(question, { call, to, request });
    return { type: 'ask-kms', question, message: request.message };
  }

  #granted(question: number, answer: Uint8Array, now: number): readonly MachineAction[] {
    const asking = this.#asking.get(question);
    this.#asking.delete(question);
    if (asking === undefined) return [];
    return attempt(asking.call, () => [this.#invite(asking.call, asking.to, asking.request.accept(answer, now), now)]);
  }

  #invite(call: string, to: MikeyIdentity, ticket: GrantedTicket, now: number): MachineAction {
    const { self, sessions, sdpIds, answers, random } = this.#options;
    this.#refuseTooMany(call);
    const transfer = createTransfer({
      ...sessions,
      ticket,
      initiator: self,
      responder: to,
      ...(sdpIds === undefined ? {} : { sdpIds }),
      ...(answers === undefined ? {} : { answers }),
      now,
      random,
    });
    this.#calls.set(call, { name: call, transfer, answers: new Map() });
    return { type: 'send', dialog: call, message: transfer.message };
  }

  #refuseTooMany(call: string): void {
    const isAsked = [...this.#asking.values()].some((asking) => asking.call === call);
    if (this.#calls.has(call) || isAsked) refuse('the call exists', 'call');
    if (this.#calls.size + this.#asking.size >= this.#options.maxCalls) refuse('too many calls', 'call');
  }

  #answer(name: string, dialog: string, message: Uint8Array, now: number): readonly MachineAction[] {
    const call = this.#calls.get(name);
    if (call === undefined) return attempt(dialog, () => refuse('an answer to no call', 'call'));
    const digest = toHex(sha256(message));
    // The same answer again in its dialog is a retransmission: it has had its effect.
    if (call.answers.get(dialog) === digest) return [];
    try {
      if (call.answers.has(dialog)) refuse('the dialog has its keys', 'dialog');
      // One key context per dialog: who copies the answer of another dialog gets no keys with it.
      if ([...call.answers.values()].includes(digest)) refuse('the answer of another dialog', 'dialog');
      if (this.#bundles.has(dialog)) refuse('a dialog of another call', 'dialog');
      if (call.answers.size >= this.#options.maxDialogs) refuse('too many answers', 'dialog');
      const { bundle, responder } = call.transfer.accept(message, now);
      call.answers.set(dialog, digest);
      this.#bundles.set(dialog, bundle);
      return [{ type: 'established', dialog, bundle, peer: responder, originProven: true }];
    } catch (error) {
      assertProtocolError(error);
      const answer = call.transfer.errorFor(message, error, now);
      const refused: MachineAction = { type: 'refused', dialog, error };
      return answer === undefined ? [refused] : [refused, { type: 'send', dialog, message: answer }];
    }
  }
}

function attempt(dialog: string, action: () => readonly MachineAction[]): readonly MachineAction[] {
  try {
    return action();
  } catch (error) {
    assertProtocolError(error);
    return [{ type: 'refused', dialog, error }];
  }
}

function refuse(problem: string, field: string): never {
  throw new ProtocolError('policy-denied', problem, {
    field: `mikey.initiator.${field}`,
    hint: { mikey: mikeyError.unspecified },
  });
}
