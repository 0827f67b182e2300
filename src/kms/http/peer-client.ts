import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { checkServerIdentity } from 'node:tls';
import type { Clock } from '../../base/clock.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { forwardResolve, type ForeignTicket, type IssuerAnswer } from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';
import type { KmsPeer } from '../peers.ts';
import { decodeBody, mediaTypeOf, readBody } from './body.ts';
import type { ServedCertificate } from './served-certificate.ts';
import { tlsProfile } from './tls-profile.ts';

export interface PeerClientOptions {
  readonly peer: KmsPeer & { readonly url: string };
  /** What we prove ourselves with. */
  readonly certificate: ServedCertificate;
  /** PEM; what the peer's certificate must come from. */
  readonly trustedCa: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** For a whole answer; less than a UE waits for us where absent. */
  readonly timeoutMilliseconds?: number;
}

const answerMilliseconds = profile.kms.timeoutMilliseconds / 2;
const maxConnections = 16;
/** A peer that does not answer holds no more of our users' questions than these. */
const maxWaiting = 256;
/** For a peer that says nothing better. */
const retryAfterSeconds = 10;
const longestRetrySeconds = 3600;

interface PeerReply {
  readonly status: number;
  readonly message: Uint8Array | undefined;
  readonly retryAfter: number | undefined;
}

/** The connection was an old one and the peer had closed it: nothing was answered. */
class StaleConnection extends Error {}

/** Asks one other KMS to resolve its tickets, over mutually authenticated TLS (RFC 6043 10). */
export class PeerClient {
  readonly #options: PeerClientOptions;
  readonly #agent: Agent;
  readonly #stopping = new AbortController();
  #waiting = 0;

  constructor(options: PeerClientOptions) {
    this.#options = options;
    const { certificateName } = options.peer;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: maxConnections,
      maxCachedSessions: 0,
      servername: certificateName,
      // The name that is agreed on, wherever the URL leads. Given with a request it would keep connections from being used again.
      checkServerIdentity: (_host, presented) => checkServerIdentity(certificateName, presented),
    });
  }

  /** Never rejects: that a peer is away or wrong is an outcome. */
  async resolve(foreign: ForeignTicket): Promise<IssuerAnswer> {
    if (this.#waiting >= maxWaiting) return away(problem('policy-denied', 'too many questions wait for it'));
    this.#waiting++;
    try {
      return await this.#exchange(foreign);
    } catch (error) {
      return this.#explain(error);
    } finally {
      this.#waiting--;
    }
  }

  /** Ends every question that waits. */
  stop(): void {
    this.#stopping.abort();
    this.#agent.destroy();
  }

  async #exchange(foreign: ForeignTicket): Promise<IssuerAnswer> {
    const { peer, clock, random } = this.#options;
    const ask = async (): Promise<IssuerAnswer> => {
      const forwarded = forwardResolve(foreign, peer, { now: clock.now(), random });
      const reply = await this.#post(forwarded.message);
      if (reply.status === 429 || reply.status === 503) {
        return away(problem('peer-misbehaved', `answered ${reply.status}`), reply.retryAfter);
      }
      if ((reply.status !== 200 && reply.status !== 403) || reply.message === undefined) {
        return { answer: 'failed', error: problem('peer-misbehaved', `answered ${reply.status}`) };
      }
      return forwarded.accept(reply.message, clock.now());
    };
    try {
      return await ask();
    } catch (error) {
      // A question is never sent twice: the second is a new one.
      if (error instanceof StaleConnection) return ask();
      throw error;
    }
  }

  async #post(message: Uint8Array): Promise<PeerReply> {
    const { peer, certificate, trustedCa, timeoutMilliseconds = answerMilliseconds } = this.#options;
    const url = new URL(peer.url);
    url.pathname = `${url.pathname.replace(/\/$/, '')}${profile.kms.path}`;
    url.search = new URLSearchParams({ requesttype: 'ticketresolve' }).toString();
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMilliseconds), this.#stopping.signal]);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpsRequest(url, {
        ...tlsProfile,
        method: 'POST',
        agent: this.#agent,
        signal,
        ca: trustedCa,
        cert: certificate.identity.certificatePem,
        key: certificate.identity.privateKeyPem,
        rejectUnauthorized: true,
        headers: {
          'Content-Type': profile.kms.contentType,
          Accept: profile.kms.contentType,
          'Cache-Control': 'no-store',
          'Content-Length': message.length,
        },
      });
      request.on('response', resolve);
      request.on('error', (error) =>
        reject(request.reusedSocket && !signal.aborted ? new StaleConnection('closed', { cause: error }) : error),
      );
      request.end(message);
    });
    return replyOf(response);
  }

  #explain(error: unknown): IssuerAnswer {
    const { peer, log } = this.#options;
    log.log('warn', 'kms.issuer-failed', { peer: peer.name, reason: describeError(error) });
    // The answer came and is none: wrong MAC, wrong form, somebody else's.
    if (error instanceof ProtocolError) return { answer: 'failed', error };
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
    const made = problem('peer-misbehaved', `no answer: ${code}`, error);
    // OpenSSL's and X.509's codes: the peer is there, and is not who it should be or does not take us for who we are.
    return /^(ERR_SSL|ERR_TLS|EPROTO|CERT_|UNABLE_|SELF_SIGNED|DEPTH_ZERO|INVALID_|HPE_)/.test(code)
      ? { answer: 'failed', error: made }
      : away(made);
  }
}

async function replyOf(response: IncomingMessage): Promise<PeerReply> {
  const body = await readBody(response);
  if (body === undefined) {
    response.destroy();
    throw problem('peer-misbehaved', 'the answer is too long');
  }
  const isMikey = mediaTypeOf(response) === profile.kms.contentType && body.length > 0;
  const seconds = Number(response.headers['retry-after']);
  return {
    status: Number(response.statusCode),
    message: isMikey ? decodeBody(body).message : undefined,
    retryAfter: Number.isInteger(seconds) && seconds > 0 ? Math.min(seconds, longestRetrySeconds) : undefined,
  };
}

const problem = (kind: 'policy-denied' | 'peer-misbehaved', text: string, cause?: unknown): ProtocolError =>
  new ProtocolError(kind, text, { field: 'kms.issuer', ...(cause === undefined ? {} : { cause }) });

const away = (error: ProtocolError, seconds = retryAfterSeconds): IssuerAnswer => ({
  answer: 'away',
  error,
  retryAfterSeconds: seconds,
});
