import { fromUtf8, utf8 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import { decodeCpim, encodeCpim } from '../protocol/cpim/index.ts';
import { parseMediaType } from '../protocol/mime/index.ts';
import { headerValue, type MimeEntity } from '../protocol/mime-entity.ts';

export interface TextContent {
  readonly contentType: string;
  readonly body: Uint8Array;
}

export interface TextToSend {
  readonly from: string;
  readonly to: string;
  readonly at: number;
  readonly messageId: string;
  readonly text: string;
}

/** What a message body says. Everything but `text` is the sender's claim, present only in CPIM. */
export interface ReadText {
  readonly text: string;
  readonly from?: string;
  readonly to?: string;
  readonly messageId?: string;
}

const plainType = 'text/plain;charset=utf-8';

/** `message/cpim` with an `imdn.Message-ID` around the text (RFC 3862, RFC 5438). */
export function cpimText({ from, to, at, messageId, text }: TextToSend): TextContent {
  const body = encodeCpim({
    from: { uri: from },
    to: [{ uri: to }],
    dateTime: at,
    messageId,
    dispositions: [],
    otherHeaders: [],
    content: plainContent(text),
  });
  return { contentType: 'message/cpim', body };
}

/** A text as the content of an envelope. */
export function plainContent(text: string): MimeEntity {
  return { headers: [{ name: 'Content-Type', value: plainType }], body: utf8(text) };
}

export function plainText(text: string): TextContent {
  return { contentType: plainType, body: utf8(text) };
}

/** @throws ProtocolError with a SIP hint: 415 for a type that is not text, 400 for broken text. */
export function readText(contentType: string, body: Uint8Array): ReadText {
  const type = baseType(contentType);
  if (type === 'text/plain') return { text: plainOf(contentType, body) };
  if (type !== 'message/cpim') throw unsupportedContent(type);
  const cpim = decodeCpim(body);
  const innerType = headerValue(cpim.content.headers, 'Content-Type') ?? '';
  if (baseType(innerType) !== 'text/plain') throw unsupportedContent(baseType(innerType));
  const to = cpim.to[0]?.uri;
  return {
    text: plainOf(innerType, cpim.content.body),
    ...(cpim.from === undefined ? {} : { from: cpim.from.uri }),
    ...(to === undefined ? {} : { to }),
    ...(cpim.messageId === undefined ? {} : { messageId: cpim.messageId }),
  };
}

/** Type and subtype in lower case. @throws ProtocolError `malformed`. */
export function baseType(contentType: string): string {
  return parseMediaType(contentType).type;
}

/** The text of a `text/plain` body. @throws ProtocolError with SIP hint 415 for another charset, `malformed` for broken text. */
export function plainOf(contentType: string, body: Uint8Array): string {
  const charset = parseMediaType(contentType).parameters.get('charset')?.toLowerCase() ?? 'utf-8';
  if (charset !== 'utf-8' && charset !== 'us-ascii') throw unsupportedContent(`text/plain;charset=${charset}`);
  return fromUtf8(body, 'text');
}

export function unsupportedContent(type: string): ProtocolError {
  return new ProtocolError('unsupported', `content type ${type.slice(0, 60)} is not shown`, {
    field: 'sip.Content-Type',
    expected: 'text/plain or message/cpim with text/plain',
    hint: { sip: 415, msrp: 415 },
  });
}
