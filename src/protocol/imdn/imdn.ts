import { SaxesParser } from 'saxes';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';

export const imdnContentType = 'message/imdn+xml';
export const imdnLimits = { maxOctets: 16 * 1024, maxDepth: 8 } as const;

const namespace = 'urn:ietf:params:xml:ns:imdn';

/** The states of each kind of notification (RFC 5438 11.1.6 to 11.1.8). */
const statuses = {
  delivery: ['delivered', 'failed', 'forbidden', 'error'],
  display: ['displayed', 'forbidden', 'error'],
} as const;

export type ImdnKind = keyof typeof statuses;
export type ImdnStatus = (typeof statuses)[ImdnKind][number];

/** What became of a message (RFC 5438 11.1). */
export interface ImdnPayload {
  readonly kind: ImdnKind;
  readonly status: ImdnStatus;
  /** `imdn.Message-ID` of the message that this is about. */
  readonly messageId: string;
  /** When it happened, milliseconds since 1970. */
  readonly dateTime: number;
  /** Who received it. */
  readonly recipientUri?: string;
}

/** Writes a `message/imdn+xml` body. @throws ProtocolError `local` when the kind has no such status */
export function encodeImdn(payload: ImdnPayload): Uint8Array {
  const { kind, status, messageId, dateTime, recipientUri } = payload;
  if (!isStatus(kind, status)) {
    throw new ProtocolError('local', 'not a status of this kind', {
      field: 'imdn.status',
      expected: statuses[kind].join(', '),
    });
  }
  return utf8(
    [
      '<?xml version="1.0" encoding="UTF-8"?>\r\n',
      `<imdn xmlns="${namespace}">`,
      `<message-id>${escapeXml(messageId)}</message-id>`,
      `<datetime>${new Date(dateTime).toISOString()}</datetime>`,
      recipientUri === undefined ? '' : `<recipient-uri>${escapeXml(recipientUri)}</recipient-uri>`,
      `<${kind}-notification><status><${status}/></status></${kind}-notification>`,
      '</imdn>\r\n',
    ].join(''),
  );
}

/**
 * Reads a `message/imdn+xml` body. Document types, and with them every entity of one's own, are refused; elements of other
 * namespaces are passed over.
 * @throws ProtocolError `malformed` (hint SIP 400); `unsupported` for a kind of notification that is not handled here
 */
export function decodeImdn(bytes: Uint8Array): ImdnPayload {
  if (bytes.length > imdnLimits.maxOctets) fail('too large', 'imdn', `at most ${imdnLimits.maxOctets} octets`);
  const { texts, elements } = walk(fromUtf8(bytes, 'imdn'));
  const kind = (['delivery', 'display'] as const).find((name) => elements.has(`imdn/${name}-notification`));
  if (kind === undefined) {
    throw new ProtocolError('unsupported', 'kind of notification not supported', {
      field: 'imdn',
      expected: 'delivery-notification or display-notification',
    });
  }
  const status = statuses[kind].find((name) => elements.has(`imdn/${kind}-notification/status/${name}`));
  const messageId = texts.get('imdn/message-id')?.trim() ?? '';
  const dateTime = Date.parse(texts.get('imdn/datetime')?.trim() ?? '');
  const recipientUri = texts.get('imdn/recipient-uri')?.trim();
  if (status === undefined) return fail('missing or unknown', 'imdn.status', statuses[kind].join(', '));
  if (messageId === '') return fail('missing', 'imdn.message-id', 'a message id');
  if (Number.isNaN(dateTime)) return fail('missing or not a time', 'imdn.datetime', 'an RFC 3339 time');
  return { kind, status, messageId, dateTime, ...(recipientUri === undefined ? {} : { recipientUri }) };
}

/** Paths of the elements of the IMDN namespace, and the text directly inside each. */
function walk(xml: string): { texts: Map<string, string>; elements: Set<string> } {
  const texts = new Map<string, string>();
  const elements = new Set<string>();
  const path: string[] = [];
  const parser = new SaxesParser({ xmlns: true });
  const addText = (text: string): void => {
    const at = path.join('/');
    texts.set(at, (texts.get(at) ?? '') + text);
  };
  parser.on('error', (cause) => fail('not well-formed XML', 'imdn', 'an imdn document (RFC 5438 11.1)', cause));
  parser.on('doctype', () => fail('has a document type', 'imdn', 'no DOCTYPE'));
  parser.on('opentag', ({ uri, local }) => {
    path.push(uri === namespace ? local : `{${uri}}${local}`);
    if (path.length > imdnLimits.maxDepth) fail('too deep', 'imdn', `at most ${imdnLimits.maxDepth} levels`);
    const at = path.join('/');
    if (elements.has(at) && uri === namespace) fail('element given twice', 'imdn', 'one of each');
    elements.add(at);
  });
  parser.on('closetag', () => path.pop());
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.write(xml).close();
  return { texts, elements };
}

function isStatus(kind: ImdnKind, status: ImdnStatus): boolean {
  return (statuses[kind] as readonly ImdnStatus[]).includes(status);
}

const xmlEscapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

function escapeXml(text: string): string {
  if (/\p{Cc}/u.test(text)) {
    throw new ProtocolError('local', 'control character', {
      field: 'imdn',
      expected: 'text without control characters',
    });
  }
  return text.replaceAll(/[&<>]/g, (character) => xmlEscapes[character] ?? character);
}

function fail(problem: string, field: string, expected: string, cause?: unknown): never {
  throw new ProtocolError('malformed', problem, {
    field,
    expected,
    hint: { sip: 400 },
    ...(cause === undefined ? {} : { cause }),
  });
}
