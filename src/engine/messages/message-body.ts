import { ProtocolError } from '../../base/errors.ts';
import { decodeMultipart, headerValue, parseMediaType, type MimeEntity } from '../../protocol/mime/index.ts';
import { decodeResourceLists, resourceListsContentType } from '../../protocol/resource-lists/index.ts';
import { baseType } from '../text-content.ts';

/** The body of a SIP MESSAGE without the list that a list service put beside it. */
export interface MessageBody {
  readonly contentType: string;
  readonly body: Uint8Array;
  /** To be opened with a key. */
  readonly isSealed: boolean;
  /** Who else received it, by the word of the list service (RFC 5365 section 7.3). */
  readonly history: readonly string[];
}

const sealedTypes = ['application/mikey', 'application/pkcs7-mime'];

/**
 * Looks no deeper than the parts of the body: what is nested is the matter of whoever reads it.
 * @throws ProtocolError with a SIP hint: 400 malformed, 415 other contents
 */
export function readMessageBody(contentType: string, body: Uint8Array): MessageBody {
  const mediaType = parseMediaType(contentType, 'sip.Content-Type');
  if (mediaType.type !== 'multipart/mixed' && mediaType.type !== 'multipart/related') {
    return { contentType, body, isSealed: sealedTypes.includes(mediaType.type), history: [] };
  }
  const parts = decodeMultipart(mediaType, body);
  if (parts.some((part) => sealedTypes.includes(baseType(typeOf(part))))) {
    // Its list, if any, is read with the rest.
    return { contentType, body, isSealed: true, history: [] };
  }
  const [content, second] = parts.filter((part) => !isList(part));
  if (content === undefined || second !== undefined || parts.length !== 2) {
    throw new ProtocolError('unsupported', 'several contents', {
      field: 'sip.Content-Type',
      expected: 'one text, with or without the list of its recipients',
      hint: { sip: 415 },
    });
  }
  const list = parts.find(isList);
  return {
    contentType: typeOf(content),
    body: content.body,
    isSealed: false,
    history: list === undefined ? [] : decodeResourceLists(list.body).map(({ uri }) => uri),
  };
}

function isList(part: MimeEntity): boolean {
  return baseType(typeOf(part)) === resourceListsContentType;
}

function typeOf(part: MimeEntity): string {
  return headerValue(part.headers, 'Content-Type') ?? 'text/plain';
}
