import { fromBase64, fromUtf8, toBase64, toHex, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { hmacSha256 } from '../../crypto/digest.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { formatVia, parseCSeq, parseVia } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import { localAnswerHeader } from './outstanding-requests.ts';
import { markBranch, unmarkBranch } from './branch-mark.ts';
import { hideTelUri, hideTelUris, showTelUris } from './tel-uri.ts';

/** Stands for our address in Via and Contact inside SIP.js, which accepts no port in the Via of a response. */
export const localHost = 'tessera.invalid';
/** Carries the real Content-Type into SIP.js, whose grammar drops messages over types it cannot parse. */
export const originalContentType = 'Original-Content-Type';

const suffixOctets = 8;
const branchPattern = new RegExp(`^(.+)\\.([0-9a-f]{${2 * suffixOctets}})$`);

export interface LocalAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Translates between the messages of SIP.js and the wire, without memory:
 * - SIP.js carries bodies as text: to it every body is base64, on the wire it is octets;
 * - SIP.js draws branches from 10^7 `Math.random` values: on the wire each has 64 more bits, a MAC under `key` over
 *   branch, Call-ID and CSeq number, the same for INVITE, its CANCEL and its ACK, and checked in responses;
 * - our address in Via and Contact is put in on the way out;
 * - tel URIs in From, To and the request line are hidden from it.
 */
export class WireTranslation {
  readonly #key: Uint8Array;

  /** @param key 32 random octets. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** @param original as SIP.js wrote it. */
  outgoing(original: SipMessage, local: LocalAddress): SipMessage {
    const message = original.clone();
    const { headers } = message;
    if (message.start.kind === 'request') {
      message.start = { ...message.start, uri: showTelUris(message.start.uri) };
      const via = parseVia(headers.get('Via') ?? '');
      const branch = via.parameters.get('branch') ?? '';
      via.parameters.set('branch', `${branch}.${this.#suffix(branch, message)}`);
      headers.set('Via', formatVia({ ...via, host: bracketed(local.host), port: local.port }));
    } else {
      unmarkBranch(message);
    }
    for (const name of ['From', 'To']) headers.set(name, showTelUris(headers.get(name) ?? ''));
    const contact = headers.get('Contact');
    if (contact !== undefined) {
      headers.set('Contact', contact.replace(localHost, `${bracketed(local.host)}:${local.port}`));
    }
    // What SIP.js takes for a bare session description may go out as one part of several.
    const contentType = headers.shift(originalContentType);
    if (contentType !== undefined && message.body.length > 0) headers.set('Content-Type', contentType);
    message.body = decodeBody(fromUtf8(message.body));
    return message;
  }

  /** As SIP.js reads it, once serialised. @throws ProtocolError for a response that answers no request of ours. */
  incoming(wire: SipMessage): SipMessage {
    const message = wire.clone();
    const { headers } = message;
    if (message.start.kind === 'request') {
      message.start = { ...message.start, uri: hideTelUri(message.start.uri) };
      markBranch(message);
    } else {
      this.#restoreVia(message);
    }
    for (const name of ['From', 'To']) headers.set(name, hideTelUris(headers.get(name) ?? ''));
    const contentType = headers.get('Content-Type');
    // What we mark our own answers with is ours alone.
    headers.remove(originalContentType).remove(localAnswerHeader);
    if (contentType !== undefined) {
      headers.add(originalContentType, contentType);
      // SIP.js never reads a body, so a description among other parts is a description to it.
      const isOffer = isSdp(contentType) || (isFirstInvite(message) && isMultipart(contentType));
      headers.set('Content-Type', isOffer ? 'application/sdp' : 'application/octet-stream');
    }
    message.body = utf8(toBase64(wire.body));
    return message;
  }

  #restoreVia(message: SipMessage): void {
    const via = parseVia(message.headers.get('Via') ?? '');
    const [, branch = '', suffix = ''] = branchPattern.exec(via.parameters.get('branch') ?? '') ?? [];
    if (!constantTimeEqual(utf8(suffix), utf8(this.#suffix(branch, message)))) {
      throw new ProtocolError('peer-misbehaved', 'not a branch of ours', { field: 'sip.Via', expected: 'our branch' });
    }
    via.parameters.set('branch', branch);
    message.headers.set('Via', formatVia({ ...via, host: localHost, port: undefined }));
  }

  #suffix(branch: string, { headers }: SipMessage): string {
    const { number } = parseCSeq(headers.get('CSeq') ?? '');
    const input = [branch, headers.get('Call-ID') ?? '', String(number)].join('\n');
    return toHex(hmacSha256(this.#key, utf8(input)).subarray(0, suffixOctets));
  }
}

/** For bodies that are handed to SIP.js. */
export function encodeBody(body: Uint8Array | string): string {
  return toBase64(typeof body === 'string' ? utf8(body) : body);
}

/** For bodies that SIP.js hands to us. */
export function decodeBody(body: string | undefined): Uint8Array {
  return fromBase64(body ?? '', 'sip.body');
}

export function isSdp(contentType: string): boolean {
  return /^\s*application\/sdp\s*(;|$)/i.test(contentType);
}

/** Kinds of body that may hold a description beside others. */
export function isMultipart(contentType: string): boolean {
  return /^\s*multipart\/(related|mixed)\s*;/i.test(contentType);
}

/** An INVITE that begins a dialog: it has no tag in To yet. */
function isFirstInvite({ start, headers }: SipMessage): boolean {
  return start.kind === 'request' && start.method === 'INVITE' && !/;\s*tag\s*=/i.test(headers.get('To') ?? '');
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
