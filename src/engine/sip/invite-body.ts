import { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { utf8 } from '../../base/bytes.ts';
import { decodeMultipart, encodeMultipart, headerValue, parseMediaType } from '../../protocol/mime/index.ts';
import type { MimeEntity } from '../../protocol/mime/index.ts';
import type { RelatedPart } from './types.ts';
import { isMultipart, isSdp } from './wire-translation.ts';

export interface InviteBody {
  readonly sdp: Uint8Array;
  readonly related: readonly RelatedPart[];
}

const maxRelated = 4;

/** RFC 5547 section 8.8, RFC 2387: the SDP is the first body and thereby the root, which `type` names. */
export function encodeInviteBody(
  sdp: string,
  related: readonly RelatedPart[],
  random: Random,
): { readonly contentType: string; readonly body: Uint8Array } {
  const parts: MimeEntity[] = related.map(({ contentId, contentType, bytes }) => ({
    headers: [
      { name: 'Content-Type', value: contentType },
      { name: 'Content-Transfer-Encoding', value: 'binary' },
      { name: 'Content-ID', value: `<${contentId}>` },
      { name: 'Content-Disposition', value: 'icon' },
    ],
    body: bytes,
  }));
  const root = { headers: [{ name: 'Content-Type', value: 'application/sdp' }], body: utf8(sdp) };
  return encodeMultipart({ subtype: 'related', type: 'application/sdp', parts: [root, ...parts], random });
}

/**
 * The description in the body of an INVITE, and what came beside it in multipart/related or multipart/mixed.
 * @throws ProtocolError hint SIP 400 or 415
 */
export function readInviteBody(contentType: string, body: Uint8Array): InviteBody {
  if (isSdp(contentType)) return { sdp: body, related: [] };
  if (!isMultipart(contentType)) throw notTaken();
  const mediaType = parseMediaType(contentType);
  const parts = decodeMultipart(mediaType, body);
  const start = mediaType.parameters.get('start');
  const isRelated = mediaType.type === 'multipart/related';
  const root = isRelated
    ? parts.find(({ headers }, index) =>
        start === undefined ? index === 0 : headerValue(headers, 'Content-ID')?.trim() === start.trim(),
      )
    : parts.find(({ headers }) => isSdp(headerValue(headers, 'Content-Type') ?? ''));
  if (root === undefined || !isSdp(headerValue(root.headers, 'Content-Type') ?? '')) throw notTaken();
  const related = parts.flatMap((part): RelatedPart[] => {
    const contentId = /^<([^<>\s]{1,256})>$/.exec(headerValue(part.headers, 'Content-ID')?.trim() ?? '')?.[1];
    if (part === root || contentId === undefined) return [];
    const type = headerValue(part.headers, 'Content-Type') ?? 'application/octet-stream';
    return [{ contentId, contentType: type, bytes: part.body }];
  });
  return { sdp: root.body, related: related.slice(0, maxRelated) };
}

function notTaken(): ProtocolError {
  return new ProtocolError('unsupported', 'no session description', {
    field: 'sip.body',
    expected: 'application/sdp, or multipart/related with one',
    hint: { sip: 415 },
  });
}
