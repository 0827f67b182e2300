import { concatBytes, utf8 } from '../../base/bytes.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { isAtLeast, type ProtectionLevel } from '../../base/protection-level.ts';
import { sha256 } from '../../crypto/digest.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import { limits } from '../limits.ts';
import { readMessageContent } from '../message-content.ts';
import type { EnginePorts } from '../ports.ts';
import { refusal, type Refusal } from '../refusal.ts';
import type { IncomingMessage } from '../sip/index.ts';
import { tooManyToTell, type ContentTaker, type Keeping, type Taken } from './content-taker.ts';
import { readMessageBody, type MessageBody } from './message-body.ts';
import { claimedRecipients, type OpenedContent } from './opened-content.ts';
import type { SealedArrivals } from './sealed-arrivals.ts';
import { signallingProtection } from './signalling-level.ts';
import type { Turns } from './turns.ts';

export interface MessageReceiverOptions {
  readonly ports: EnginePorts;
  readonly taker: ContentTaker;
  readonly sealed: SealedArrivals;
  readonly turns: Turns;
  /** Dropped or refused: it is not kept. */
  readonly onRefused: (peer: string, problem: Refusal) => void;
}

const acceptTypes =
  'multipart/mixed, application/mikey, application/pkcs7-mime, message/cpim, text/plain, application/im-iscomposing+xml';

/** Incoming SIP MESSAGE: answers by RFC 3428 and profile 5.5; 200 only when what came is durable. */
export class MessageReceiver {
  readonly #options: MessageReceiverOptions;
  #underWay = 0;

  constructor(options: MessageReceiverOptions) {
    this.#options = options;
  }

  receive(message: IncomingMessage): void {
    try {
      const body = readMessageBody(message.contentType, message.body);
      if (body.isSealed) this.#options.sealed.receive(message, senderOf(message));
      else this.#receivePlain(message, body);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#answerError(message, error);
    }
  }

  #receivePlain(message: IncomingMessage, body: MessageBody): void {
    const { ports } = this.#options;
    const opened = this.#open(message, body);
    if (this.#underWay >= limits.incomingAtOnce) {
      message.respond(503, { headers: { 'Retry-After': '10' } });
      return;
    }
    this.#underWay += 1;
    // What came before from the same sender, and is being opened still, is shown first.
    const turn = this.#options.turns.take(opened.peer);
    void turn.before
      .then(() => this.#options.taker.take(opened, this.#seenAs(message, opened)))
      .then((taken) => this.#answer(message, opened.peer, taken))
      .catch((error: unknown) => {
        // Not kept: whoever sent it, or the network on the way, still has it and may try again.
        ports.log.log('error', 'message.not-kept', { reason: describeError(error) });
        message.respond(503, { headers: { 'Retry-After': '60' } });
      })
      .finally(() => {
        turn.end();
        this.#underWay -= 1;
      });
  }

  #open(message: IncomingMessage, { contentType, body, history }: MessageBody): OpenedContent {
    const { ports } = this.#options;
    const content = readMessageContent(contentType, body);
    const flow = signallingProtection(message.onRegisteredFlow ? message.flow : undefined, ports.clock.now());
    const isHonest = namesSender(message, content.from);
    const recipients = claimedRecipients(content, history);
    return {
      peer: senderOf(message),
      content,
      level: isHonest ? flow.level : atMost(flow.level, 'unverified'),
      evidence: flow.evidence,
      sealed: false,
      isHonest,
      isSenderSure: message.onRegisteredFlow && message.assertedIdentity !== undefined,
      // Bare text names nobody: then the request itself says to whom it went.
      recipients: recipients.length > 0 ? recipients : claimedRecipients({ ...content, to: [message.to] }, []),
    };
  }

  /** What names no Message-ID is told from a copy by the request: the same one may come over two flows, or after a restart. */
  #seenAs(message: IncomingMessage, { peer, content }: OpenedContent): Keeping {
    const cseq = message.header('CSeq') ?? '';
    if (content.messageId !== undefined || message.callId === '' || cseq === '') return {};
    const request = [peer, message.callId, cseq, message.header('From') ?? '', message.contentType].join('\n');
    const key = sha256(concatBytes(utf8(`request ${request}\n`), sha256(message.body)));
    return { seen: { key, until: this.#options.ports.clock.now() + limits.rememberedRequestMilliseconds } };
  }

  #answer(message: IncomingMessage, peer: string, taken: Taken): void {
    const { onRefused } = this.#options;
    switch (taken.outcome) {
      case 'taken':
        message.respond(200);
        return;
      case 'copy':
        // Answered like the first one: it may be the network's own repetition.
        message.respond(200);
        onRefused(peer, refusal('replayed', 'received'));
        return;
      case 'full':
        message.respond(503, { headers: { 'Retry-After': '60' } });
        onRefused(peer, refusal('replayed', 'received', { happened: tooManyToTell }));
        return;
      case 'refused':
        message.respond(488, { headers: { Warning: '399 tessera "Weaker protection than the recipient demands"' } });
        onRefused(peer, taken.problem);
    }
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
