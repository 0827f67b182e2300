import { toHex, utf8 } from '../../base/bytes.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { isAtLeast, type Policy, type ProtectionLevel } from '../../base/protection-level.ts';
import { ReplayCache } from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import type { Evidence } from '../evidence.ts';
import { limits } from '../limits.ts';
import { acceptsIncoming } from '../policy.ts';
import type { EnginePorts } from '../ports.ts';
import { isProtectedMessage, readProtectedMessage, type ReceivedMessage } from '../psk-mime/index.ts';
import { refusal, type Refusal } from '../refusal.ts';
import type { IncomingMessage } from '../sip/index.ts';
import { readText } from '../text-content.ts';
import { replayKey } from '../tickets/replay-key.ts';
import type { TicketService } from '../tickets/ticket-service.ts';
import { Decryptor, type Decrypted } from './decryptor.ts';
import { signallingProtection } from './signalling-level.ts';

/** A message that came in; `text` is empty unless `state` is `received`. */
export interface Arrival {
  /** KMS user identity of the sender, as far as known. */
  readonly peer: string;
  readonly text: string;
  readonly level: ProtectionLevel;
  readonly evidence: Evidence;
  readonly problem?: Refusal;
}

export interface MessageReceiverOptions {
  readonly ports: EnginePorts;
  readonly tickets: TicketService;
  readonly self: string;
  readonly policyFor: (peer: string) => Policy;
  /** Returns the id under which the message is kept. */
  readonly onArrival: (arrival: Arrival) => string;
  /** A kept message that could not be read at first: read now, or given up for the new reason. */
  readonly onLateArrival: (id: string, arrival: Arrival) => void;
  /** Dropped or refused: it is not kept. */
  readonly onRefused: (peer: string, problem: Refusal) => void;
}

interface MessageId {
  readonly messageId?: string | undefined;
}

const namesAnother = 'The message was encrypted end to end, but it names another sender than the network does';
const tooManyToTell = 'So many messages came that it cannot be told whether this one had come before';
const acceptTypes = 'multipart/mixed, application/mikey, application/pkcs7-mime, message/cpim, text/plain';

/** Incoming SIP MESSAGE: answers by profile 5.5, decrypts, drops what came before. */
export class MessageReceiver {
  readonly #options: MessageReceiverOptions;
  /** Messages whose MAC was verified: what proves nothing must not fill this memory. */
  readonly #seenTransfers = new ReplayCache(limits.replayEntries);
  /** Replay keys of messages that are being opened or wait for the KMS. */
  readonly #opening = new Set<string>();
  /** By sender, settled when the newest of its messages has been shown: they are opened side by side and shown in their order. */
  readonly #shown = new Map<string, Promise<void>>();
  readonly #seenIds = new ReplayCache(limits.replayEntries);
  readonly #decryptor: Decryptor;

  constructor(options: MessageReceiverOptions) {
    this.#options = options;
    this.#decryptor = new Decryptor(options.ports, options.tickets);
  }

  receive(message: IncomingMessage): void {
    try {
      if (isProtectedMessage(message.contentType)) this.#receiveProtected(message);
      else this.#receivePlain(message);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#answerError(message, error);
    }
  }

  stop(): void {
    this.#decryptor.stop();
  }

  #receivePlain(message: IncomingMessage): void {
    const { ports, tickets, policyFor, onArrival, onRefused } = this.#options;
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
    message.respond(200);
    const until = tickets.now() + profile.replay.messageCacheSeconds * 1000;
    if (this.#isDuplicate({ peer, level, messageId: read.messageId }, until)) {
      onRefused(peer, refusal('replayed', 'received'));
      return;
    }
    onArrival({ peer, text: read.text, level, evidence: flow.evidence });
  }

  #receiveProtected(message: IncomingMessage): void {
    const { ports, tickets, self, onRefused } = this.#options;
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
    const isCopy = this.#opening.has(toHex(key)) || this.#seenTransfers.has(key, now);
    if (!isCopy && (this.#opening.size >= limits.undecryptableMessages || this.#seenTransfers.isFull(now))) {
      message.respond(503, { headers: { 'Retry-After': '60' } });
      return;
    }
    // A copy is answered like the first one: it may be the network's own repetition.
    message.respond(200);
    if (isCopy) {
      ports.log.log('warn', 'message.replayed', { keyId: received.keyId });
      onRefused(peer, refusal('replayed', 'received'));
      return;
    }
    this.#opening.add(toHex(key));
    const before = this.#shown.get(peer);
    let wasShown: () => void = () => undefined;
    const shown = new Promise<void>((resolve) => (wasShown = resolve));
    this.#shown.set(peer, shown);
    void this.#decrypt(message, received, peer, before, wasShown)
      .catch((error: unknown) => ports.log.log('error', 'message.unexpected', { reason: describeError(error) }))
      .finally(() => {
        wasShown();
        this.#opening.delete(toHex(key));
        if (this.#shown.get(peer) === shown) this.#shown.delete(peer);
      });
  }

  /** @param before settled when it is this one's turn to be shown. */
  async #decrypt(
    message: IncomingMessage,
    received: ReceivedMessage,
    peer: string,
    before: Promise<void> | undefined,
    wasShown: () => void,
  ): Promise<void> {
    const { onArrival, onLateArrival, onRefused } = this.#options;
    const asserted = message.assertedIdentity ?? message.from;
    const first = await this.#decryptor.decrypt(received, asserted, peer);
    await before;
    const problem = this.#problemOf(first, received);
    if (problem !== undefined) {
      onRefused(first.peer, problem);
      return;
    }
    const id = onArrival(arrivalOf(first));
    wasShown();
    if (!first.retry) return;
    const later = await this.#decryptor.decryptLater(received, asserted, peer);
    if (later === undefined) return;
    const late = this.#problemOf(later, received) ?? misfiled(later, peer);
    onLateArrival(id, arrivalOf(late === undefined ? later : { ...later, text: undefined, problem: late }));
  }

  /** Why a message that can be read is not shown: it came before, or who sent it is in doubt where the policy allows none. */
  #problemOf(decrypted: Decrypted, received: ReceivedMessage): Refusal | undefined {
    const { peer, text, level, evidence } = decrypted;
    if (text === undefined) return undefined;
    const seen = this.#seenTransfers.add(
      replayKey(received.transfer),
      received.rememberUntil,
      this.#options.tickets.now(),
    );
    if (seen !== 'fresh') return refusal('replayed', 'received', seen === 'full' ? { happened: tooManyToTell } : {});
    const policy = this.#options.policyFor(peer);
    if (acceptsIncoming(policy, level)) {
      return this.#isDuplicate(decrypted, received.rememberUntil) ? refusal('replayed', 'received') : undefined;
    }
    const happened =
      evidence.origin === 'proven' ? namesAnother : 'The message was encrypted, but nothing proves who sent it';
    return refusal('policy-not-met', 'received', { happened, reached: level, required: policy });
  }

  /** By level too, so that a message which proves less cannot make one that proves more look like its copy. */
  #isDuplicate({ peer, level, messageId }: Pick<Decrypted, 'peer' | 'level'> & MessageId, until: number): boolean {
    if (messageId === undefined) return false;
    const key = utf8(`${level} ${peer} ${messageId}`);
    return this.#seenIds.add(key, until, this.#options.tickets.now()) === 'replayed';
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

/** A message that was kept under the network's word stays unread when its ticket proves another sender. */
function misfiled({ peer, text, level }: Decrypted, keptUnder: string): Refusal | undefined {
  if (text === undefined || peer === keptUnder) return undefined;
  return refusal('policy-not-met', 'received', { happened: namesAnother, reached: level });
}

function arrivalOf({ peer, text, level, evidence, problem }: Decrypted): Arrival {
  return { peer, text: text ?? '', level, evidence, ...(problem === undefined ? {} : { problem }) };
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
