import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { describeError } from '../../base/errors.ts';
import type { Logger, LogLevel } from '../../base/log.ts';
import type { Later } from '../../protocol/mikey/index.ts';
import type { KmsRequestKind, KmsService } from '../kms-service.ts';
import { KmsStorageError } from '../ports.ts';
import { TokenBuckets } from '../token-buckets.ts';
import { decodeBody, mediaTypeOf, readBody } from './body.ts';
import { forwardedAddress, limitKeyOf, type TrustedProxies } from './client-address.ts';
import { httpAnswerOf, plainAnswer, routeQuestion, type HttpAnswer } from './exchange.ts';
import type { KmsLimits } from './limits.ts';
import type { KmsMetrics } from './metrics.ts';

/** Changes a MIKEY answer just before it is sent. */
export type AnswerTransform = (answer: Uint8Array, question: Uint8Array) => Later<Uint8Array>;

export interface QuestionHandlerOptions {
  readonly service: KmsService;
  /** Stands in the challenge of a 401. */
  readonly realm: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: KmsMetrics;
  /** Absent: no limits. */
  readonly limits: Pick<KmsLimits, 'perAddress' | 'maxKeys'> | undefined;
  readonly proxies: TrustedProxies;
  /** Changes every MIKEY answer just before it is sent. */
  readonly transformAnswer?: AnswerTransform | undefined;
}

const storageRetrySeconds = 5;

/** Those who are turned away by a limit shall not fill the log; they are counted in the metrics. */
function logLevelOf(status: number): LogLevel {
  if (status >= 500) return 'error';
  return status === 429 ? 'debug' : 'info';
}

/** Where a request came from, as its connection tells. */
export interface RequestSource {
  readonly address: string;
  /** On the peers' listener: the KMSs that the client's certificate proves, perhaps none. */
  readonly peers?: readonly string[];
}

/** Answers HTTP requests with the outcomes of a KMS. */
export class QuestionHandler {
  readonly #options: QuestionHandlerOptions;
  readonly #addresses: TokenBuckets | undefined;
  readonly #running = new Set<Promise<void>>();
  #isLeaving = false;

  constructor(options: QuestionHandlerOptions) {
    this.#options = options;
    const { limits } = options;
    this.#addresses = limits === undefined ? undefined : new TokenBuckets(limits.perAddress, limits.maxKeys);
  }

  handle(request: IncomingMessage, response: ServerResponse, source: RequestSource): void {
    const { log, metrics } = this.#options;
    const running = this.#answer(request, source)
      .then((answer) => {
        metrics.answer(answer.status);
        log.log(logLevelOf(answer.status), 'kms.exchange', answer.log);
        this.#send(response, answer);
      })
      .catch(() => void response.destroy())
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** From now on every answer ends its connection. */
  leave(): void {
    this.#isLeaving = true;
  }

  /** Resolves when no request is being answered. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #answer(request: IncomingMessage, source: RequestSource): Promise<HttpAnswer> {
    try {
      const { method = '', url = '' } = request;
      const address = this.#clientOf(request, source);
      const wait = source.peers === undefined ? this.#addresses?.take(limitKeyOf(address), this.#now()) : undefined;
      if (wait !== undefined) {
        this.#options.metrics.limited('address');
        return plainAnswer(429, 'too many requests from this address', { 'Retry-After': String(wait) });
      }
      const kind = routeQuestion({ method, target: url, mediaType: mediaTypeOf(request) });
      if (typeof kind !== 'string') return kind;
      if (source.peers !== undefined) {
        if (source.peers.length === 0) return plainAnswer(403, 'the certificate is of no peer');
        if (kind !== 'ticketresolve') return plainAnswer(403, 'peers only resolve');
      }
      const from = this.#now();
      const body = await readBody(request);
      if (body === undefined) return plainAnswer(413, 'body too large');
      return await this.#exchange(kind, body, { ...source, address }, from);
    } catch (error) {
      if (request.readableAborted) return plainAnswer(400, 'cut off');
      // Nothing was granted; another replica, or this one a little later, can.
      if (error instanceof KmsStorageError) {
        return plainAnswer(503, describeError(error), { 'Retry-After': String(storageRetrySeconds) });
      }
      return plainAnswer(500, describeError(error));
    }
  }

  async #exchange(kind: KmsRequestKind, body: Uint8Array, source: RequestSource, from: number): Promise<HttpAnswer> {
    const { service, metrics, realm, transformAnswer } = this.#options;
    let decoded;
    try {
      decoded = decodeBody(body);
    } catch (error) {
      return plainAnswer(400, describeError(error));
    }
    const outcome = await service.handle(kind, decoded.message, source);
    metrics.exchange(source.peers === undefined ? kind : 'peerresolve', outcome.outcome, (this.#now() - from) / 1000);
    if ('subject' in outcome && outcome.subject.issuer !== undefined) metrics.forward(outcome.outcome);
    if (outcome.outcome === 'limited') metrics.limited('user');
    if (outcome.outcome === 'refused' && outcome.isReplay) metrics.replay();
    const made = 'message' in outcome ? outcome.message : undefined;
    const sent = made === undefined ? undefined : ((await transformAnswer?.(made, decoded.message)) ?? made);
    return httpAnswerOf(kind, outcome, sent, decoded.isBase64, realm);
  }

  #clientOf({ headers }: IncomingMessage, { address }: RequestSource): string {
    return forwardedAddress(address, String(headers['x-forwarded-for'] ?? ''), this.#options.proxies);
  }

  #now(): number {
    return this.#options.clock.now();
  }

  #send(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
    // What was not read of a refused body would stand in the way of the next request.
    const closes = this.#isLeaving || !response.req.complete;
    response.writeHead(status, {
      ...headers,
      ...(closes ? { Connection: 'close' } : {}),
      'Content-Length': String(body.length),
      'Cache-Control': 'no-store',
    });
    response.end(body);
  }
}
