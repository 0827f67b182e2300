import { utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { escapeXml, readXml, type XmlElement } from '../xml/index.ts';

export const resourceListsContentType = 'application/resource-lists+xml';
export const resourceListsLimits = { octets: 64 * 1024, depth: 8, elements: 1_000, entries: 200 } as const;

const namespace = 'urn:ietf:params:xml:ns:resource-lists';
const copyControlNamespace = 'urn:ietf:params:xml:ns:copycontrol';
const field = 'resource-lists';

/** RFC 5364 section 4: who sees whom; `bcc` is seen by nobody. */
const copyControls = ['to', 'cc', 'bcc'] as const;
export type CopyControl = (typeof copyControls)[number];

/** One `entry` of a list (RFC 4826 section 3.1, RFC 5364 section 4). */
export interface ListedRecipient {
  readonly uri: string;
  readonly copyControl?: CopyControl;
}

/**
 * Writes the recipients of one request as one list (RFC 5363, RFC 5365 section 4).
 * @throws ProtocolError `local` for nobody, for too many and for what XML cannot carry
 */
export function encodeResourceLists(recipients: readonly ListedRecipient[]): Uint8Array {
  if (recipients.length === 0 || recipients.length > resourceListsLimits.entries) {
    throw new ProtocolError('local', `${recipients.length} recipients`, {
      field,
      expected: `1 to ${resourceListsLimits.entries}`,
    });
  }
  const entries = recipients.map(({ uri, copyControl }) => {
    const control = copyControl === undefined ? '' : ` cp:copyControl="${copyControl}"`;
    return `<entry uri="${escapeXml(uri, field)}"${control}/>`;
  });
  return utf8(
    [
      '<?xml version="1.0" encoding="UTF-8"?>\r\n',
      `<resource-lists xmlns="${namespace}" xmlns:cp="${copyControlNamespace}">`,
      `<list>${entries.join('')}</list>`,
      '</resource-lists>\r\n',
    ].join(''),
  );
}

/**
 * Reads the recipients of all lists in a document, lists inside lists included, each once, in their order. Elements of other
 * namespaces and names to display are passed over; an entry that says to be anonymous is not told (RFC 5364 section 4).
 * @throws ProtocolError `malformed` (hint SIP 400); `unsupported` (hint SIP 415) for a list that refers to others, which only
 *   their server could resolve
 */
export function decodeResourceLists(bytes: Uint8Array): readonly ListedRecipient[] {
  const root = readXml(bytes, field, resourceListsLimits);
  if (root.name !== 'resource-lists' || root.namespace !== namespace) fail('another document', 'resource-lists');
  const found = new Map<string, ListedRecipient>();
  for (const list of root.children) if (isOurs(list, 'list')) collect(list, found);
  return [...found.values()];
}

function collect(list: XmlElement, found: Map<string, ListedRecipient>): void {
  for (const child of list.children) {
    if (isOurs(child, 'list')) collect(child, found);
    else if (isOurs(child, 'entry-ref') || isOurs(child, 'external')) {
      throw new ProtocolError('unsupported', 'refers to another list', {
        field,
        expected: 'entries only (RFC 5363 section 4)',
        hint: { sip: 415 },
      });
    } else if (isOurs(child, 'entry')) add(child, found);
  }
}

function add(entry: XmlElement, found: Map<string, ListedRecipient>): void {
  const uri = entry.attributes['uri']?.trim() ?? '';
  if (uri === '' || /\s/u.test(uri)) fail('not an entry', 'an entry with its uri');
  const control = (name: string): string | undefined => entry.foreignAttributes?.[`${copyControlNamespace} ${name}`];
  if (control('anonymize') === 'true' || found.has(uri)) return;
  if (found.size === resourceListsLimits.entries) fail('too many entries', `at most ${resourceListsLimits.entries}`);
  const copyControl = copyControls.find((one) => one === control('copyControl'));
  found.set(uri, { uri, ...(copyControl === undefined ? {} : { copyControl }) });
}

function isOurs(element: XmlElement, name: string): boolean {
  return element.name === name && element.namespace === namespace;
}

function fail(problem: string, expected: string): never {
  throw new ProtocolError('malformed', problem, { field, expected, hint: { sip: 400 } });
}
