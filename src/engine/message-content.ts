import {
  composingContentType,
  decodeComposing,
  encodeComposing,
  type ComposingStatus,
} from '../protocol/composing/index.ts';
import { decodeCpim, encodeCpim, type CpimMessage } from '../protocol/cpim/index.ts';
import { ProtocolError } from '../base/errors.ts';
import { decodeImdn, encodeImdn, imdnContentType, type ImdnPayload } from '../protocol/imdn/index.ts';
import { decodeMultipart, headerValue, parseMediaType, type MimeEntity } from '../protocol/mime/index.ts';
import { shownText } from './shown-text.ts';
import { baseType, plainContent, type TextContent } from './text-content.ts';

/** RFC 5438 6.2: what the sender of a text asks to be told. */
export interface WantedReceipts {
  readonly delivery: boolean;
  readonly failure: boolean;
  readonly display: boolean;
  /** Told by servers on the way, never by us. */
  readonly processing: boolean;
}

export const wantsNothing: WantedReceipts = { delivery: false, failure: false, display: false, processing: false };

/** What stands around a content; every word of it is the sender's claim. Names to display are not read: they prove nothing. */
export interface MessageClaims {
  readonly from?: string;
  readonly to: readonly string[];
  readonly cc: readonly string[];
  /** `imdn.Message-ID`. */
  readonly messageId?: string;
  readonly subject?: string;
  /** DateTime, milliseconds since 1970. */
  readonly sentAt?: number;
  /** Before a list service changed To (RFC 5438 6.4). */
  readonly originalTo?: string;
  /** Where receipts for it go first (RFC 5438 6.5). */
  readonly recordRoute: readonly string[];
}

/** What a SIP MESSAGE says once its protection is off. */
export type MessageContent = MessageClaims &
  (
    | { readonly kind: 'text'; readonly text: string; readonly wants: WantedReceipts }
    /** What became of texts of ours. */
    | { readonly kind: 'receipts'; readonly receipts: readonly ImdnPayload[] }
    | { readonly kind: 'composing'; readonly status: ComposingStatus }
    /** A notification of a kind that says nothing to us. */
    | { readonly kind: 'nothing' }
  );

/** Who speaks to whom. */
export interface MessageEnvelope {
  readonly from: string;
  readonly to: readonly string[];
  readonly cc?: readonly string[];
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly messageId: string;
  readonly subject?: string;
}

/** RFC 5438 8.3: receipts that a list service put together. */
const maxReceipts = 16;

/** @throws ProtocolError with a SIP hint: 415 for what is no text, receipt or status, 400 for what is broken. */
export function readMessageContent(contentType: string, body: Uint8Array): MessageContent {
  const type = baseType(contentType);
  const bare = { to: [], cc: [], recordRoute: [] };
  if (type === composingContentType) return { kind: 'composing', status: decodeComposing(body), ...bare };
  if (type !== 'message/cpim') {
    return { kind: 'text', text: shownText(contentType, body), wants: wantsNothing, ...bare };
  }
  const cpim = decodeCpim(body);
  return { ...readInner(cpim), ...claimsOf(cpim) };
}

type Inner = MessageContent extends infer Each
  ? Each extends unknown
    ? Omit<Each, keyof MessageClaims>
    : never
  : never;

function readInner({ content, dispositions }: CpimMessage): Inner {
  const innerType = headerValue(content.headers, 'Content-Type') ?? '';
  const receipts = receiptsIn(content, innerType);
  if (receipts !== undefined) {
    const told = receipts.flatMap(readReceipt);
    return told.length === 0 ? { kind: 'nothing' } : { kind: 'receipts', receipts: told };
  }
  if (baseType(innerType) === composingContentType) return { kind: 'composing', status: decodeComposing(content.body) };
  return { kind: 'text', text: shownText(innerType, content.body), wants: wantsOf(dispositions) };
}

/** RFC 5438 section 9 and 8.3: by the type and, of several together, by what their parts are. */
function receiptsIn(content: MimeEntity, innerType: string): readonly Uint8Array[] | undefined {
  const mediaType = parseMediaType(innerType);
  if (mediaType.type === imdnContentType) return [content.body];
  if (mediaType.type !== 'multipart/mixed') return undefined;
  const parts = decodeMultipart(mediaType, content.body);
  const areReceipts = parts.every(
    ({ headers }) => baseType(headerValue(headers, 'Content-Type') ?? 'text/plain') === imdnContentType,
  );
  return areReceipts ? parts.slice(0, maxReceipts).map(({ body }) => body) : undefined;
}

function readReceipt(body: Uint8Array): readonly ImdnPayload[] {
  try {
    return [decodeImdn(body)];
  } catch (error) {
    if (error instanceof ProtocolError && error.kind === 'unsupported') return [];
    throw error;
  }
}

function wantsOf(dispositions: readonly string[]): WantedReceipts {
  const asked = dispositions.map((disposition) => disposition.split(';')[0]?.trim().toLowerCase());
  return {
    delivery: asked.includes('positive-delivery'),
    failure: asked.includes('negative-delivery'),
    display: asked.includes('display'),
    processing: asked.includes('processing'),
  };
}

function claimsOf({
  from,
  to,
  cc = [],
  messageId,
  subject,
  dateTime,
  originalTo,
  recordRoute = [],
}: CpimMessage): MessageClaims {
  return {
    ...(from === undefined ? {} : { from: from.uri }),
    to: to.map(({ uri }) => uri),
    cc: cc.map(({ uri }) => uri),
    ...(messageId === undefined ? {} : { messageId }),
    ...(subject === undefined ? {} : { subject }),
    ...(dateTime === undefined ? {} : { sentAt: dateTime }),
    ...(originalTo === undefined ? {} : { originalTo: originalTo.uri }),
    recordRoute: recordRoute.map(({ uri }) => uri),
  };
}

/** A text that asks to be told what `wants` says (RFC 5438 7.1.1). */
export function writeTextContent(envelope: MessageEnvelope, text: string, wants: WantedReceipts): TextContent {
  const dispositions = [
    ...(wants.delivery ? ['positive-delivery'] : []),
    ...(wants.failure ? ['negative-delivery'] : []),
    ...(wants.processing ? ['processing'] : []),
    ...(wants.display ? ['display'] : []),
  ];
  return wrap(envelope, plainContent(text), { dispositions });
}

/** @param route IMDN-Record-Route of the message that it answers, in its order; a notification asks for none itself (RFC 5438 7.2.1). */
export function writeReceiptContent(
  envelope: MessageEnvelope,
  receipt: ImdnPayload,
  route: readonly string[],
): TextContent {
  const headers = [
    { name: 'Content-Type', value: imdnContentType },
    { name: 'Content-Disposition', value: 'notification' },
  ];
  return wrap(envelope, { headers, body: encodeImdn(receipt) }, { route: route.map((uri) => ({ uri })) });
}

export function writeComposingContent(envelope: MessageEnvelope, status: ComposingStatus): TextContent {
  const headers = [{ name: 'Content-Type', value: composingContentType }];
  return wrap(envelope, { headers, body: encodeComposing(status) }, {});
}

function wrap(
  { from, to, cc = [], at, messageId, subject }: MessageEnvelope,
  content: MimeEntity,
  headers: Partial<Pick<CpimMessage, 'dispositions' | 'route'>>,
): TextContent {
  const body = encodeCpim({
    from: { uri: from },
    to: to.map((uri) => ({ uri })),
    ...(cc.length === 0 ? {} : { cc: cc.map((uri) => ({ uri })) }),
    dateTime: at,
    messageId,
    ...(subject === undefined ? {} : { subject }),
    dispositions: [],
    ...headers,
    otherHeaders: [],
    content,
  });
  return { contentType: 'message/cpim', body };
}
