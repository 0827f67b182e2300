import { toHex } from '../../base/bytes.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { isAtLeast, type Policy, type ProtectionLevel } from '../../base/protection-level.ts';
import { profile } from '../../protocol/profile.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import { limits } from '../limits.ts';
import { acceptsIncoming } from '../policy.ts';
import type { EnginePorts } from '../ports.ts';
import { isProtectedMessage, readProtectedMessage, type ReceivedMessage } from '../psk-mime/index.ts';
import { refusal, type Refusal } from '../refusal.ts';
import type { IncomingMessage } from '../sip/index.ts';
import type { AccountStore } from '../store/index.ts';
import { readText } from '../text-content.ts';
import { replayKey } from '../tickets/replay-key.ts';
import type { TicketService } from '../tickets/ticket-service.ts';
import type { Arrival, Arrivals, Kept, KeptWith } from './arrivals.ts';
import { Decryptor, type Decrypted } from './decryptor.ts';
import { signallingProtection } from './signalling-level.ts';

export interface MessageReceiverOptions {
  readonly ports: EnginePorts;
  readonly tickets: TicketService;
  readonly self: string;
  readonly policyFor: (peer: string) => Policy;
  readonly store: AccountStore;
  /** Keeps what came, once; only then is it answered. */
  readonly arrivals: Arrivals;
  /** Dropped or refused: it is not kept. */
  readonly onRefused: (peer: string, problem: Refusal) => void;
}

const namesAnother = 'The message was encrypted end to end, but it names another sender than the network does';
const tooManyToTell = 'So many messages came that it cannot be told whether this one had come before';
const acceptTypes = 'multipart/mixed, application/mikey, application/pkcs7-mime, message/cpim, text/plain';

/** Incoming SIP MESSAGE: answers by profile 5.5, decrypts, drops what came before. */
export class MessageReceiver {
  readonly #options: MessageReceiverOptions;
  /** By replay key, messages that are being opened or wait for the KMS. */
  readonly #opening = new Map<string, SharedAnswer>();
  /** By sender, settled when the newest of its messages has been shown: they are opened side by side and shown in their order. */
  readonly #shown = new Map<string, Promise<void>>();
  readonly #decryptor: Decryptor;

  constructor(options: MessageReceiverOptions) {
    this.#options = options;
    this.#decryptor = new Decryptor(options.ports, options.tickets);
  }

  receive(message: IncomingMessage): void {
    try {
      if (isProtectedMessage(message.contentType)) this.#receiveProtected(message);
      else void this.#receivePlain(message);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#answerError(message, error);
    }
  }

  stop(): void {
    this.#decryptor.stop();
  }

  async #receivePlain(message: IncomingMessage): Promise<void> {
    try {
      await this.#keepPlain(message);
    } catch (error) {
      if (error instanceof ProtocolError) this.#answerError(message, error);
      else this.#answerUnkept(message, error);
    }
  }

  async #keepPlain(message: IncomingMessage): Promise<void> {
    const { ports, tickets, arrivals, policyFor, onRefused } = this.#options;
    const read = readText(message.contentType, message.body);
    const peer = senderOf(message);
    const flow = signallingProtection(message.onRegisteredFlow ? message.flow : undefined, ports.clock.now());
    const honest = namesSender(message, read.from);
    const level = honest ? flow.level : atMost(flow.level, 'unverified');
    const policy = policyFor(peer);
    if (!acceptsIncoming(policy, level)) {
      message.respond(488, { headers: { Warning: '399 tessera "Weaker protection than the recipient demands"' } });
      onRefused(peer, refusal('policy-not-met', 'received', { reached: level, required: policy }));
      return;
    }
    const { messageId } = read;
    const kept = await arrivals.keep(
      'message',
      { peer, text: read.text, level, evidence: flow.evidence, ...(messageId === undefined ? {} : { messageId }) },
      { rememberUntil: tickets.now() + profile.replay.messageCacheSeconds * 1000 },
    );
    this.#answerKept(message, peer, kept);
  }

  /** Only what survives the end of this program is answered with 200, a copy of it too. */
  #answerKept(message: Pick<IncomingMessage, 'respond'>, peer: string, kept: Kept): void {
    if (kept.outcome === 'full') message.respond(503, { headers: { 'Retry-After': '60' } });
    else message.respond(200);
    const happened = kept.outcome === 'full' ? { happened: tooManyToTell } : {};
    if (kept.outcome !== 'kept') this.#options.onRefused(peer, refusal('replayed', 'received', happened));
  }

  #answerUnkept(message: Pick<IncomingMessage, 'respond'>, error: unknown): void {
    this.#options.ports.log.log('error', 'message.not-kept', { reason: describeError(error) });
    message.respond(503, { headers: { 'Retry-After': '60' } });
  }

  #receiveProtected(message: IncomingMessage): void {
    const { ports, tickets, self, store, onRefused } = this.#options;
    const peer = senderOf(message);
    if (!tickets.configured) {
      // As a device that cannot do it at all: the sender may then choose another way.
      message.respond(415, { headers: { Accept: 'message/cpim, text/plain' } });
      onRefused(peer, refusal('no-kms', 'received'));
      return;
    }
    const now = tickets.now();
    const received = readProtectedMessage(message.contentType, message.body, { now, self: [self] });
    const key = replayKey(received.transfer);
    const isCopy = store.seen.has(key, now);
    const first = this.#opening.get(toHex(key));
    if (
      first === undefined &&
      !isCopy &&
      (this.#opening.size >= limits.undecryptableMessages || store.seen.isFull(now))
    ) {
      message.respond(503, { headers: { 'Retry-After': '60' } });
      return;
    }
    if (first !== undefined || isCopy) {
      // A copy is answered like the first one: it may be the network's own repetition.
      if (first === undefined) message.respond(200);
      else first.share(message);
      ports.log.log('warn', 'message.replayed', { keyId: received.keyId });
      onRefused(peer, refusal('replayed', 'received'));
      return;
    }
    const answer = new SharedAnswer(message);
    this.#opening.set(toHex(key), answer);
    const before = this.#shown.get(peer);
    let wasShown: () => void = () => undefined;
    const shown = new Promise<void>((resolve) => (wasShown = resolve));
    this.#shown.set(peer, shown);
    void this.#decrypt(message, answer, received, peer, before, wasShown)
      .catch((error: unknown) => this.#answerUnkept(answer, error))
      .finally(() => {
        wasShown();
        this.#opening.delete(toHex(key));
        if (this.#shown.get(peer) === shown) this.#shown.delete(peer);
      });
  }

  /** @param before settled when it is this one's turn to be shown. */
  async #decrypt(
    message: IncomingMessage,
    answer: SharedAnswer,
    received: ReceivedMessage,
    peer: string,
    before: Promise<void> | undefined,
    wasShown: () => void,
  ): Promise<void> {
    const { arrivals, onRefused } = this.#options;
    const asserted = message.assertedIdentity ?? message.from;
    const first = await this.#decryptor.decrypt(received, asserted, peer);
    await before;
    const problem = this.#problemOf(first, received);
    if (problem !== undefined) {
      answer.respond(200);
      onRefused(first.peer, problem);
      return;
    }
    const kept = await arrivals.keep('message', arrivalOf(first), this.#together(first, received));
    this.#answerKept(answer, first.peer, kept);
    wasShown();
    if (!first.retry || kept.outcome !== 'kept') return;
    const later = await this.#decryptor.decryptLater(received, asserted, peer);
    if (later === undefined) return;
    const { id } = kept.message;
    const late = this.#problemOf(later, received) ?? misfiled(later, peer);
    const arrival = arrivalOf(late === undefined ? later : { ...later, text: undefined, problem: late });
    const changed = await arrivals.change(id, arrival, late === undefined ? this.#together(later, received) : {});
    if (changed.outcome === 'kept') return;
    const copy = refusal('replayed', 'received', changed.outcome === 'full' ? { happened: tooManyToTell } : {});
    await arrivals.change(id, { ...arrival, text: '', problem: copy });
  }

  /** What proves nothing must not fill the memory of what came: only a message that could be opened is remembered. */
  #together({ text }: Decrypted, received: ReceivedMessage): KeptWith {
    if (text === undefined) return {};
    const until = received.rememberUntil;
    return { seen: { key: replayKey(received.transfer), until }, rememberUntil: until };
  }

  /** Why a message that can be read is not shown: who sent it is in doubt where the policy allows none. */
  #problemOf({ peer, text, level, evidence }: Decrypted, received: ReceivedMessage): Refusal | undefined {
    if (text === undefined) return undefined;
    const { policyFor, store, tickets } = this.#options;
    const policy = policyFor(peer);
    if (acceptsIncoming(policy, level)) return undefined;
    if (store.seen.add(replayKey(received.transfer), received.rememberUntil, tickets.now()) === 'replayed') {
      return refusal('replayed', 'received');
    }
    const happened =
      evidence.origin === 'proven' ? namesAnother : 'The message was encrypted, but nothing proves who sent it';
    return refusal('policy-not-met', 'received', { happened, reached: level, required: policy });
  }

  #answerError(message: IncomingMessage, error: ProtocolError): void {
    const { ports, onRefused } = this.#options;
    const status = error.hint.sip ?? 400;
    ports.log.log('warn', 'message.unreadable', { status, field: error.field, reason: describeError(error) });
    message.respond(status, status === 415 ? { headers: { Accept: acceptTypes } } : {});
    const code = status === 493 ? 'decryption-failed' : 'peer-incompatible';
    const happened = `A message came that cannot be read (${error.message})`;
    onRefused(senderOf(message), refusal(code, 'received', code === 'decryption-failed' ? {} : { happened }));
  }
}

/** The answer to a message and to the copies of it that came before it could be answered. */
class SharedAnswer {
  readonly #waiting: Pick<IncomingMessage, 'respond'>[];
  #given: Parameters<IncomingMessage['respond']> | undefined;

  constructor(first: Pick<IncomingMessage, 'respond'>) {
    this.#waiting = [first];
  }

  share(copy: Pick<IncomingMessage, 'respond'>): void {
    if (this.#given === undefined) this.#waiting.push(copy);
    else copy.respond(...this.#given);
  }

  respond(...answer: Parameters<IncomingMessage['respond']>): void {
    this.#given ??= answer;
    for (const message of this.#waiting.splice(0)) message.respond(...answer);
  }
}

/** A message that was kept under the network's word stays unread when its ticket proves another sender. */
function misfiled({ peer, text, level }: Decrypted, keptUnder: string): Refusal | undefined {
  if (text === undefined || peer === keptUnder) return undefined;
  return refusal('policy-not-met', 'received', { happened: namesAnother, reached: level });
}

function arrivalOf({ peer, text, level, evidence, problem, messageId }: Decrypted): Arrival {
  return {
    peer,
    text: text ?? '',
    level,
    evidence,
    ...(problem === undefined ? {} : { problem }),
    ...(messageId === undefined ? {} : { messageId }),
  };
}

/** The network's word for the sender, else the sender's own. */
function senderOf(message: IncomingMessage): string {
  const claimed = message.assertedIdentity ?? message.from;
  return tryKmsUserIdentity(claimed) ?? claimed;
}

/** False when From of SIP or of CPIM names somebody else than the network does (profile 5.2, 3.6). */
function namesSender(message: IncomingMessage, cpimFrom: string | undefined): boolean {
  const sender = senderOf(message);
  return [message.from, cpimFrom].every((uri) => uri === undefined || tryKmsUserIdentity(uri) === sender);
}

function atMost(level: ProtectionLevel, ceiling: ProtectionLevel): ProtectionLevel {
  return isAtLeast(level, ceiling) ? ceiling : level;
}
