import type { Random } from '../../base/random.ts';
import { decodeMultipart, encodeMultipart, headerValue, parseMediaType } from '../../protocol/mime/index.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';

/** The offer of an INVITE, alone or as the root of a multipart/related body (RFC 5547 section 8.8). */
export interface OfferBody {
  readonly sdp: Uint8Array;
  /** Puts another offer in its place; what came beside it goes along. */
  putInto(message: SipMessage, sdp: Uint8Array): void;
}

/** Undefined for a message without one. @throws ProtocolError for a multipart body that cannot be read. */
export function readOfferBody(message: SipMessage, random: Random): OfferBody | undefined {
  const contentType = message.headers.get('Content-Type') ?? '';
  if (message.body.length === 0) return undefined;
  if (isSdpType(contentType)) return { sdp: message.body, putInto: (copy, sdp) => void (copy.body = sdp) };
  if (!/^multipart\/related\b/i.test(contentType)) return undefined;
  const mediaType = parseMediaType(contentType);
  const parts = decodeMultipart(mediaType, message.body);
  const start = mediaType.parameters.get('start');
  const root = parts.find(({ headers }, index) =>
    start === undefined ? index === 0 : headerValue(headers, 'Content-ID') === start,
  );
  if (root === undefined || !isSdpType(headerValue(root.headers, 'Content-Type') ?? '')) return undefined;
  return {
    sdp: root.body,
    putInto(copy, sdp) {
      const others = parts.filter((part) => part !== root);
      const whole = { subtype: 'related', type: 'application/sdp', random } as const;
      const { contentType: changed, body } = encodeMultipart({ ...whole, parts: [{ ...root, body: sdp }, ...others] });
      copy.headers.set('Content-Type', changed);
      copy.body = body;
    },
  };
}

function isSdpType(contentType: string): boolean {
  return /^application\/sdp\b/i.test(contentType);
}
