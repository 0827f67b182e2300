import { ProtocolError } from '../../base/errors.ts';
import { provesServer, readAuthenticationInfo, type DigestAnswerInput } from '../../protocol/digest/digest.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import { putBounded, type CredentialHeader } from './credential-cache.ts';

/** Credentials that a request carried. */
export interface SentCredentials {
  readonly header: CredentialHeader;
  readonly answer: DigestAnswerInput;
}

/** What an answer says of the server that gave it. */
export interface ServerWord {
  /** A proof was given and is wrong: whoever answered does not know the password. */
  readonly isForged: boolean;
  /** Nonces that the server wants next. */
  readonly nextNonces: readonly { readonly sent: SentCredentials; readonly nonce: string }[];
}

const infoHeaders: readonly (readonly [name: string, header: CredentialHeader])[] = [
  ['Authentication-Info', 'Authorization'],
  ['Proxy-Authentication-Info', 'Proxy-Authorization'],
];
const silence: ServerWord = { isForged: false, nextNonces: [] };
const maxRequests = 128;

/** Mutual authentication (RFC 7616 clause 3.5, RFC 7615): remembers what was sent until its answer comes, and checks that. */
export class ServerProofs {
  readonly #sent = new Map<string, readonly SentCredentials[]>();

  sent(request: SipMessage, credentials: readonly SentCredentials[]): void {
    if (credentials.length > 0) putBounded(this.#sent, keyOf(request), credentials, maxRequests);
  }

  /** What the last request of that Call-ID and CSeq carried; a challenge to it is held against that. */
  of(response: SipMessage): readonly SentCredentials[] {
    return this.#sent.get(keyOf(response)) ?? [];
  }

  /** Of a final answer; the request is forgotten then. */
  judge(response: SipMessage): ServerWord {
    const { status = 0 } = response;
    if (status < 200) return silence;
    const credentials = this.of(response);
    this.#sent.delete(keyOf(response));
    // RFC 7616 clause 3.5: the server says it of a request that it has accepted.
    if (status >= 300 || credentials.length === 0) return silence;
    const words = infoHeaders.flatMap(([name, header]) => {
      const candidates = credentials.filter((one) => one.header === header);
      return response.headers.getAll(name).map((value) => judgeOne(value, candidates, response.body));
    });
    return { isForged: words.some(({ isForged }) => isForged), nextNonces: words.flatMap((word) => word.nextNonces) };
  }
}

function judgeOne(value: string, candidates: readonly SentCredentials[], body: Uint8Array): ServerWord {
  try {
    const info = readAuthenticationInfo(value);
    const proven = candidates.find(({ answer }) => provesServer(info, answer, body));
    // The header names no realm: with several, it speaks of the one that its proof fits.
    const sent = proven ?? (candidates.length === 1 && info.responseAuth === undefined ? candidates[0] : undefined);
    const isForged = info.responseAuth !== undefined && candidates.length > 0 && proven === undefined;
    const { nextNonce } = info;
    return { isForged, nextNonces: sent === undefined || nextNonce === undefined ? [] : [{ sent, nonce: nextNonce }] };
  } catch (error) {
    if (error instanceof ProtocolError) return silence;
    throw error;
  }
}

function keyOf({ headers }: SipMessage): string {
  return `${headers.get('Call-ID') ?? ''}\n${(headers.get('CSeq') ?? '').replaceAll(/\s+/g, ' ').trim()}`;
}
