import type { Message } from 'sip.js';
import { assertProtocolError, describeError, ProtocolError } from '../../base/errors.ts';
import { inflate } from '../../base/inflate.ts';
import { parseNameAddress, splitHeaderList } from '../../protocol/sip/headers.ts';
import { assertedIdentity } from '../../protocol/sip/identities.ts';
import type { SipHeaders } from '../../protocol/sip/message.ts';
import type { EnginePorts } from '../ports.ts';
import { answerOptions, checkStatus } from './answer-options.ts';
import { readReceived } from './sip-reply.ts';
import type { FlowFacts, IncomingMessage, MessageAnswer } from './types.ts';

/** Octets of one MESSAGE body, both ways. */
export const maxMessageOctets = 64 * 1024;
/** Messages that may wait for an answer; more are refused with 503. */
const maxPending = 64;
/** Before the sender's transaction ends at 32 s (RFC 3261 clause 17.1.2.2); RFC 4320 forbids 408 here. */
const answerMilliseconds = 30_000;

/** From, To and the network's word, of any incoming request. */
export interface Parties {
  readonly from: string;
  readonly to: string;
  readonly assertedIdentity?: string;
}

/** @param isTrusted the request came from the network that registered us: only its word counts (RFC 3325 clause 8). */
export function readParties(headers: SipHeaders, isTrusted: boolean): Parties {
  const said = headers.getAll('P-Asserted-Identity').flatMap(splitHeaderList);
  const asserted = isTrusted ? assertedIdentity(said) : undefined;
  return {
    from: parseNameAddress(headers.get('From') ?? '', 'sip.From').uri,
    to: parseNameAddress(headers.get('To') ?? '', 'sip.To').uri,
    ...(asserted === undefined ? {} : { assertedIdentity: asserted }),
  };
}

/** RFC 3261 clause 20.12: the body was compressed. */
export function isEncoded(headers: SipHeaders): boolean {
  return encodings(headers).length > 0;
}

function encodings(headers: SipHeaders): string[] {
  const all = headers.getAll('Content-Encoding').flatMap(splitHeaderList);
  return all.map((value) => value.toLowerCase()).filter((value) => value !== '' && value !== 'identity');
}

/** As it was before it was compressed with `deflate`, as linphone does with receipts; or why it cannot be had. */
function openBody(headers: SipHeaders, body: Uint8Array): Uint8Array | ProtocolError {
  const [encoding, ...more] = encodings(headers);
  if ((encoding !== undefined && encoding !== 'deflate') || more.length > 0) {
    const detail = { field: 'sip.Content-Encoding', expected: 'deflate or identity', hint: { sip: 415 } };
    return new ProtocolError('unsupported', 'a compression that cannot be undone', detail);
  }
  if (body.length > maxMessageOctets) {
    const detail = { field: 'sip.body', offset: maxMessageOctets, hint: { sip: 413 } };
    return new ProtocolError('malformed', 'too large', detail);
  }
  try {
    return encoding === undefined ? body : inflate(body, maxMessageOctets, 'sip.body');
  } catch (error) {
    assertProtocolError(error);
    return error;
  }
}

interface ReceivedRequest {
  readonly headers: SipHeaders;
  readonly body: Uint8Array;
  readonly onRegisteredFlow: boolean;
  readonly flow: FlowFacts | undefined;
}

/** Hands MESSAGE requests to the application and sees to it that each is answered in time. */
export class IncomingMessages {
  readonly #ports: Pick<EnginePorts, 'clock' | 'log'>;
  readonly #deliver: (message: IncomingMessage) => void;
  readonly #pending = new Set<IncomingMessage>();

  constructor(ports: Pick<EnginePorts, 'clock' | 'log'>, deliver: (message: IncomingMessage) => void) {
    this.#ports = ports;
    this.#deliver = deliver;
  }

  /** @param onRegisteredFlow it came over `flow`, on which we are registered. */
  receive(message: Message, onRegisteredFlow: boolean, flow: FlowFacts | undefined): void {
    const { headers, body } = readReceived(message.request);
    const opened = openBody(headers, body);
    const content = opened instanceof Uint8Array ? opened : body;
    const incoming = this.#wrap(message, { headers, body: content, onRegisteredFlow, flow });
    if (this.#pending.size >= maxPending) {
      incoming.respond(503, { headers: { 'Retry-After': '10' } });
    } else if (opened instanceof ProtocolError) {
      const status = opened.hint.sip ?? 400;
      const { field, offset } = opened;
      this.#ports.log.log('warn', 'sip.message-refused', {
        status,
        field,
        ...(offset === undefined ? {} : { offset }),
      });
      incoming.respond(status, status === 415 ? { headers: { 'Accept-Encoding': 'deflate, identity' } } : {});
    } else {
      this.#pending.add(incoming);
      this.#deliver(incoming);
    }
  }

  /** Nobody will answer any more. */
  stop(): void {
    for (const message of this.#pending) message.respond(480);
  }

  #wrap(message: Message, { headers, body, onRegisteredFlow, flow }: ReceivedRequest): IncomingMessage {
    let isAnswered = false;
    const respond = (status: number, answer: MessageAnswer = {}): void => {
      checkStatus(status, [
        [200, 299],
        [400, 699],
      ]);
      const options = answerOptions(status, answer);
      if (isAnswered) return;
      isAnswered = true;
      cancel();
      this.#pending.delete(incoming);
      try {
        void (status < 300 ? message.accept(options) : message.reject(options));
      } catch (error) {
        this.#ports.log.log('warn', 'sip.answer-failed', { reason: describeError(error) });
      }
    };
    const parties = readParties(headers, onRegisteredFlow);
    const cancel = this.#ports.clock.after(answerMilliseconds, () => respond(500));
    const incoming: IncomingMessage = {
      ...parties,
      callId: headers.get('Call-ID') ?? '',
      contentType: headers.get('Content-Type') ?? '',
      body,
      header: (name) => headers.get(name),
      onRegisteredFlow,
      flow,
      respond,
    };
    return incoming;
  }
}
