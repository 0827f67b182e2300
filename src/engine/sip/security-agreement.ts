import { ProtocolError } from '../../base/errors.ts';
import { splitHeaderList } from '../../protocol/sip/headers.ts';
import type { SipHeaders, SipMessage } from '../../protocol/sip/message.ts';
import {
  agreeSecurity,
  isMediaMechanism,
  readSecurityMechanisms,
  sameMechanisms,
  type SecurityMechanism,
} from '../../protocol/sip/sec-agree.ts';
import type { SecurityAgreement } from './types.ts';

/** Profile 1: the signalling plane runs over TLS; for the media plane we can do MSRP over TLS. */
const clientEntries: readonly string[] = ['tls', 'msrp-tls;mediasec'];

/** RFC 3329 clause 2.3.1 with table 1: neither ACK nor CANCEL carries the headers. */
const bareMethods: readonly string[] = ['ACK', 'CANCEL'];

/**
 * The client's side of sec-agree (RFC 3329) with mediasec (TS 24.229 clause 7.2A.7) for one connection.
 * Without TLS nothing is announced: an indication that anybody on the way can write proves nothing (profile 2.4).
 */
export class SecurityAgreementState {
  readonly #client = readSecurityMechanisms(clientEntries);
  #server: readonly SecurityMechanism[] = [];
  readonly #options: { readonly overTls: boolean; readonly mediasecOptionTag: boolean };
  #isOffered = false;
  #sendsMediasecTag = false;
  #failure: ProtocolError | undefined;

  constructor(options: { readonly overTls: boolean; readonly mediasecOptionTag: boolean }) {
    this.#options = options;
    this.reset();
  }

  /** Why nothing could be agreed on; nothing weaker is tried. */
  get failure(): ProtocolError | undefined {
    return this.#failure;
  }

  /** For a new connection: what the server before did not support, this one may. */
  reset(): void {
    this.#isOffered = this.#options.overTls;
    this.#sendsMediasecTag = this.#options.overTls && this.#options.mediasecOptionTag;
    this.forget();
  }

  /** Undefined until the server has stated its list. */
  get agreement(): SecurityAgreement | undefined {
    if (!this.#isOffered || this.#server.length === 0) return undefined;
    const { signalling, media } = agreeSecurity(this.#client, this.#server);
    return {
      client: clientEntries,
      server: this.#server.map(({ text }) => text),
      tls: signalling === 'tls',
      msrpTls: media.includes('msrp-tls'),
    };
  }

  /** Profile 1.7: the list is forgotten on de-registration and when the P-CSCF may be another one. */
  forget(): void {
    this.#server = [];
    this.#failure = undefined;
  }

  /** Adds the headers that a request needs, on its way out. */
  secure(request: SipMessage): void {
    const { method = '', headers } = request;
    if (bareMethods.includes(method)) return;
    const tags: string[] = [];
    if (this.#isOffered && method === 'REGISTER') {
      for (const entry of clientEntries) headers.add('Security-Client', entry);
    }
    if (this.#isOffered) {
      for (const { text } of this.#server) headers.add('Security-Verify', text);
    }
    if (headers.has('Security-Client') || headers.has('Security-Verify')) {
      tags.push('sec-agree');
      if (this.#sendsMediasecTag) tags.push('mediasec');
    }
    for (const name of ['Require', 'Proxy-Require']) addTags(headers, name, tags);
  }

  /**
   * Takes the Security-Server list of an answer to REGISTER. What was stated in this registration stays as it is; media entries may
   * be added. A list that is malformed, has signalling mechanisms without ours, or differs from what we mirrored, is a `failure`.
   * An answer without a list says nothing: only 401 and 494 must have one (RFC 3329 clause 2.3.1).
   */
  learn(answer: SipHeaders): void {
    const values = answer.getAll('Security-Server');
    if (!this.#isOffered || values.length === 0) return;
    try {
      this.#server = this.#judge(readSecurityMechanisms(values, 'sip.Security-Server'));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail(error);
    }
  }

  /** After 420: drops the option tags that the server does not know. @returns true when another try differs. */
  dropUnsupported(unsupported: readonly string[]): boolean {
    const has = (tag: string): boolean => unsupported.some((name) => name.toLowerCase() === tag);
    const dropsTag = has('mediasec') && this.#sendsMediasecTag;
    const dropsAll = has('sec-agree') && this.#isOffered;
    if (dropsAll && this.#server.length > 0) {
      this.#fail(disagreement('the server takes back the agreement that it made', 'the list that was stated first'));
      return false;
    }
    if (dropsTag) this.#sendsMediasecTag = false;
    if (dropsAll) {
      this.#isOffered = false;
      this.forget();
    }
    return dropsTag || dropsAll;
  }

  #fail(error: ProtocolError): void {
    this.#server = [];
    this.#failure = error;
  }

  #judge(list: readonly SecurityMechanism[]): readonly SecurityMechanism[] {
    const stated = list.filter((entry) => !isMediaMechanism(entry));
    const before = this.#server.filter((entry) => !isMediaMechanism(entry));
    // RFC 3329 clause 2.3.1: the server's list is static; one that changes under way was changed by somebody.
    if (stated.length > 0 && before.length > 0 && !sameMechanisms(stated, before)) {
      throw disagreement('the list of mechanisms changed', 'the list that was stated first');
    }
    const isMissing = (entry: SecurityMechanism): boolean => !list.some((other) => sameMechanisms([entry], [other]));
    if (this.#server.filter(isMediaMechanism).some(isMissing)) {
      throw disagreement('the list of mechanisms got shorter', 'the list that was stated first');
    }
    const kept = stated.length === 0 ? before : [];
    const server = [...kept, ...list];
    if (!server.every(isMediaMechanism) && agreeSecurity(this.#client, server).signalling !== 'tls') {
      throw new ProtocolError('peer-incompatible', 'the server does not list TLS', {
        field: 'sip.Security-Server',
        expected: 'tls',
      });
    }
    return server;
  }
}

/** RFC 3329 clause 2.3.1: an answer to any request that means that the agreement is not there, or another one. */
export function asksForAgreement(answer: SipMessage): boolean {
  if (answer.status === 494) return true;
  const required = answer.headers.getAll('Require').flatMap(splitHeaderList);
  return answer.status === 421 && required.some((tag) => tag.toLowerCase() === 'sec-agree');
}

function disagreement(problem: string, expected: string): ProtocolError {
  return new ProtocolError('peer-misbehaved', problem, { field: 'sip.Security-Server', expected });
}

function addTags(headers: SipHeaders, name: string, tags: readonly string[]): void {
  if (tags.length === 0) return;
  const present = headers.getAll(name).flatMap(splitHeaderList);
  const missing = tags.filter((tag) => !present.includes(tag));
  headers.set(name, [...present, ...missing].join(', '));
}
