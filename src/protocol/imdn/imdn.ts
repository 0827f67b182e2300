import { utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { childOf, childText, escapeXml, readXml, type XmlElement } from '../xml/index.ts';

export const imdnContentType = 'message/imdn+xml';
export const imdnLimits = { octets: 16 * 1024, depth: 8, elements: 100 } as const;

const namespace = 'urn:ietf:params:xml:ns:imdn';

/** The states of each kind of notification (RFC 5438 11.1.6 to 11.1.8). */
const statuses = {
  delivery: ['delivered', 'failed', 'forbidden', 'error'],
  processing: ['processed', 'stored', 'forbidden', 'error'],
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
  /** When the message that this is about was sent, by its own DateTime (11.1.2); milliseconds since 1970. */
  readonly dateTime: number;
  /** Who received it. */
  readonly recipientUri?: string;
  /** `Original-To` of the message: to whom it was sent before an intermediary changed that (11.1.4). */
  readonly originalRecipientUri?: string;
  /** Of the message (11.1.5). */
  readonly subject?: string;
}

/** Writes a `message/imdn+xml` body. @throws ProtocolError `local` when the kind has no such status */
export function encodeImdn(payload: ImdnPayload): Uint8Array {
  const { kind, status, messageId, dateTime } = payload;
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
      `<message-id>${escapeXml(messageId, 'imdn')}</message-id>`,
      `<datetime>${new Date(dateTime).toISOString()}</datetime>`,
      element('recipient-uri', payload.recipientUri),
      element('original-recipient-uri', payload.originalRecipientUri),
      element('subject', payload.subject),
      `<${kind}-notification><status><${status}/></status></${kind}-notification>`,
      '</imdn>\r\n',
    ].join(''),
  );
}

function element(name: string, text: string | undefined): string {
  return text === undefined ? '' : `<${name}>${escapeXml(text, 'imdn')}</${name}>`;
}

/**
 * Reads a `message/imdn+xml` body. Document types, and with them every entity of one's own, are refused; elements of other
 * namespaces are passed over.
 * @throws ProtocolError `malformed` (hint SIP 400); `unsupported` for a kind of notification that is not handled here
 */
export function decodeImdn(bytes: Uint8Array): ImdnPayload {
  const root = readXml(bytes, 'imdn', imdnLimits);
  if (root.name !== 'imdn' || root.namespace !== namespace) fail('another document', 'imdn', 'an imdn document');
  refuseTwins(root);
  const kind = (['delivery', 'processing', 'display'] as const).find(
    (name) => childOf(root, `${name}-notification`) !== undefined,
  );
  if (kind === undefined) {
    throw new ProtocolError('unsupported', 'kind of notification not supported', {
      field: 'imdn',
      expected: 'delivery-notification, processing-notification or display-notification',
    });
  }
  const notification = childOf(root, `${kind}-notification`);
  const told = notification === undefined ? undefined : childOf(notification, 'status');
  const status = statuses[kind].find((name) => told !== undefined && childOf(told, name) !== undefined);
  const messageId = childText(root, 'message-id') ?? '';
  const dateTime = Date.parse(childText(root, 'datetime') ?? '');
  if (status === undefined) return fail('missing or unknown', 'imdn.status', statuses[kind].join(', '));
  if (messageId === '') return fail('missing', 'imdn.message-id', 'a message id');
  if (Number.isNaN(dateTime)) return fail('missing or not a time', 'imdn.datetime', 'an RFC 3339 time');
  return {
    kind,
    status,
    messageId,
    dateTime,
    ...optional('recipientUri', childText(root, 'recipient-uri')),
    ...optional('originalRecipientUri', childText(root, 'original-recipient-uri')),
    ...optional('subject', childText(root, 'subject')),
  };
}

function optional<Key extends string>(key: Key, value: string | undefined): { [K in Key]?: string } {
  return (value === undefined ? {} : { [key]: value }) as { [K in Key]?: string };
}

/** Two statuses or two ids in one notification could be read in two ways. */
function refuseTwins(element: XmlElement): void {
  const own = element.children.filter((child) => child.namespace === namespace);
  if (new Set(own.map(({ name }) => name)).size < own.length) fail('element given twice', 'imdn', 'one of each');
  for (const child of own) refuseTwins(child);
}

function isStatus(kind: ImdnKind, status: ImdnStatus): boolean {
  return (statuses[kind] as readonly ImdnStatus[]).includes(status);
}

function fail(problem: string, field: string, expected: string): never {
  throw new ProtocolError('malformed', problem, {
    field,
    expected,
    hint: { sip: 400 },
  });
}
