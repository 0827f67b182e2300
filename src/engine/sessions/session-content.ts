import { ProtocolError } from '../../base/errors.ts';
import {
  composingContentType,
  decodeComposing,
  encodeComposing,
  type ComposingStatus,
} from '../../protocol/composing/index.ts';
import { decodeCpim, encodeCpim, type CpimMessage } from '../../protocol/cpim/index.ts';
import { decodeImdn, encodeImdn, imdnContentType, type ImdnPayload } from '../../protocol/imdn/index.ts';
import { headerValue, type MimeEntity } from '../../protocol/mime-entity.ts';
import { shownText } from '../shown-text.ts';
import { baseType, plainContent, type TextContent, type TextToSend } from '../text-content.ts';

/** RFC 5438 6.2: what the sender of a text asks to be told. */
export interface WantedReceipts {
  readonly delivery: boolean;
  readonly display: boolean;
}

/** A text in a session; everything but `text` is the sender's claim. */
export interface SessionText {
  readonly kind: 'text';
  readonly text: string;
  readonly from?: string;
  /** `imdn.Message-ID`. */
  readonly messageId?: string;
  readonly subject?: string;
  /** DateTime, milliseconds since 1970. */
  readonly sentAt?: number;
  readonly wants: WantedReceipts;
}

export type SessionContent =
  | SessionText
  /** What became of a text of ours. */
  | { readonly kind: 'receipt'; readonly receipt: ImdnPayload; readonly from?: string }
  | { readonly kind: 'composing'; readonly status: ComposingStatus; readonly from?: string }
  /** A notification of a kind that says nothing to us. */
  | { readonly kind: 'nothing' };

/** Top-level types of a chat session; RFC 4975 7.3.1 and 14.3: every endpoint takes the three multiparts. */
export const sessionTypes = [
  'message/cpim',
  'text/plain',
  composingContentType,
  'multipart/alternative',
  'multipart/mixed',
  'multipart/signed',
] as const;
/** RFC 4975 8.6 would not repeat what stands above; peers are known that look for the type of a wrapped text only here. */
export const wrappedSessionTypes = ['text/plain', imdnContentType, composingContentType] as const;

const wantsNothing: WantedReceipts = { delivery: false, display: false };

/** @throws ProtocolError: `unsupported` for what is no text of a chat, `malformed` for what is broken. */
export function readSessionContent(contentType: string, body: Uint8Array): SessionContent {
  const type = baseType(contentType);
  if (type === composingContentType) return { kind: 'composing', status: decodeComposing(body) };
  if (type !== 'message/cpim') return { kind: 'text', text: shownText(contentType, body), wants: wantsNothing };
  const cpim = decodeCpim(body);
  const from = cpim.from === undefined ? {} : { from: cpim.from.uri };
  const innerType = headerValue(cpim.content.headers, 'Content-Type') ?? '';
  switch (baseType(innerType)) {
    case imdnContentType:
      return { ...readReceipt(cpim.content.body), ...from };
    case composingContentType:
      return { kind: 'composing', status: decodeComposing(cpim.content.body), ...from };
    default:
      return readText(cpim, shownText(innerType, cpim.content.body));
  }
}

function readText(cpim: CpimMessage, text: string): SessionText {
  const asked = cpim.dispositions.map((disposition) => disposition.split(';')[0]?.trim().toLowerCase());
  return {
    kind: 'text',
    text,
    ...(cpim.from === undefined ? {} : { from: cpim.from.uri }),
    ...(cpim.messageId === undefined ? {} : { messageId: cpim.messageId }),
    ...(cpim.subject === undefined ? {} : { subject: cpim.subject }),
    ...(cpim.dateTime === undefined ? {} : { sentAt: cpim.dateTime }),
    wants: { delivery: asked.includes('positive-delivery'), display: asked.includes('display') },
  };
}

function readReceipt(body: Uint8Array): SessionContent {
  try {
    return { kind: 'receipt', receipt: decodeImdn(body) };
  } catch (error) {
    if (error instanceof ProtocolError && error.kind === 'unsupported') return { kind: 'nothing' };
    throw error;
  }
}

/** Who speaks to whom, for the envelope. */
export interface Envelope {
  readonly from: string;
  readonly to: string;
  readonly at: number;
  readonly messageId: string;
}

/** A text that asks to be told of its delivery and display (RFC 5438 7.1.1.1). */
export function writeText({ text, ...envelope }: TextToSend): TextContent {
  return wrap(envelope, ['positive-delivery', 'display'], plainContent(text));
}

/** RFC 5438 7.2.1.1: a notification asks for none itself. */
export function writeReceipt(envelope: Envelope, receipt: ImdnPayload): TextContent {
  const headers = [
    { name: 'Content-Type', value: imdnContentType },
    { name: 'Content-Disposition', value: 'notification' },
  ];
  return wrap(envelope, [], { headers, body: encodeImdn(receipt) });
}

export function writeComposing(envelope: Envelope | undefined, status: ComposingStatus): TextContent {
  const body = encodeComposing(status);
  if (envelope === undefined) return { contentType: composingContentType, body };
  return wrap(envelope, [], { headers: [{ name: 'Content-Type', value: composingContentType }], body });
}

function wrap(
  { from, to, at, messageId }: Envelope,
  dispositions: readonly string[],
  content: MimeEntity,
): TextContent {
  const body = encodeCpim({
    from: { uri: from },
    to: [{ uri: to }],
    dateTime: at,
    messageId,
    dispositions,
    otherHeaders: [],
    content,
  });
  return { contentType: 'message/cpim', body };
}
