import { utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { childOf, childText, escapeXml, readXml, type XmlElement } from '../xml/index.ts';

export const pidfContentType = 'application/pidf+xml';

const field = 'pidf';
const limits = { octets: 64 * 1024, depth: 16, elements: 1000 };
const namespaces = {
  pidf: 'urn:ietf:params:xml:ns:pidf',
  dataModel: 'urn:ietf:params:xml:ns:pidf:data-model',
  rpid: 'urn:ietf:params:xml:ns:pidf:rpid',
} as const;
const noteCharacters = 1000;

/** One way in which somebody can be reached (RFC 3863 section 4.1.2). */
export interface PresenceTuple {
  readonly id: string;
  /** Undefined where the document does not say. */
  readonly basic: 'open' | 'closed' | undefined;
  readonly contact?: string;
  readonly note?: string;
  /** ISO 8601, as written. */
  readonly timestamp?: string;
}

/** What a presentity says of itself (RFC 3863, with the activities of RFC 4480). */
export interface PresenceDocument {
  /** URI of the presentity. */
  readonly entity: string;
  readonly tuples: readonly PresenceTuple[];
  /** Names of RFC 4480 section 3.2, `away`, `busy`, `on-the-phone`; of the person, and of a tuple where it says so. */
  readonly activities: readonly string[];
  readonly notes: readonly string[];
}

/**
 * Reads a presence document. Elements of other namespaces are passed over.
 * @throws ProtocolError `malformed`, hint SIP 400, for what is none.
 */
export function readPidf(bytes: Uint8Array): PresenceDocument {
  const root = readXml(bytes, field, limits);
  const entity = root.attributes['entity']?.trim() ?? '';
  if (root.namespace !== namespaces.pidf || root.name !== 'presence' || entity === '') {
    throw new ProtocolError('malformed', 'not a presence document', {
      field,
      expected: 'presence with its entity (RFC 3863 4.1.1)',
      hint: { sip: 400 },
    });
  }
  const tuples = root.children.filter(({ namespace, name }) => namespace === namespaces.pidf && name === 'tuple');
  const persons = root.children.filter(
    ({ namespace, name }) => namespace === namespaces.dataModel && name === 'person',
  );
  return {
    entity,
    tuples: tuples.map(readTuple),
    activities: [...persons, ...tuples].flatMap(activitiesOf),
    notes: [root, ...persons].flatMap(notesOf),
  };
}

export interface OwnPresence {
  readonly entity: string;
  readonly basic: 'open' | 'closed';
  readonly activity?: 'away' | 'busy';
  readonly note?: string;
  /** Names this device's part of the presence; letters and digits. */
  readonly tupleId: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** @throws ProtocolError `local` for control characters in the note or address. */
export function writePidf({ entity, basic, activity, note, tupleId, at }: OwnPresence): Uint8Array {
  const id = escapeXml(tupleId, field);
  const noteElement = note === undefined || note === '' ? '' : `<note>${escapeXml(note, field)}</note>`;
  return utf8(
    [
      '<?xml version="1.0" encoding="UTF-8"?>\r\n',
      `<presence xmlns="${namespaces.pidf}" xmlns:dm="${namespaces.dataModel}" xmlns:rpid="${namespaces.rpid}"`,
      ` entity="${escapeXml(entity, field)}">`,
      `<tuple id="t${id}"><status><basic>${basic}</basic></status>`,
      `<contact>${escapeXml(entity, field)}</contact>${noteElement}`,
      `<timestamp>${new Date(at).toISOString()}</timestamp></tuple>`,
      activity === undefined
        ? ''
        : `<dm:person id="p${id}"><rpid:activities><rpid:${activity}/></rpid:activities></dm:person>`,
      '</presence>\r\n',
    ].join(''),
  );
}

function readTuple(element: XmlElement): PresenceTuple {
  const status = childOf(element, 'status');
  const basic = status && childText(status, 'basic')?.toLowerCase();
  const [note] = notesOf(element);
  return {
    id: element.attributes['id'] ?? '',
    basic: basic === 'open' || basic === 'closed' ? basic : undefined,
    ...optional('contact', childText(element, 'contact')),
    ...optional('note', note),
    ...optional('timestamp', childText(element, 'timestamp')),
  };
}

/** Directly inside, or in the status, where older clients put them. */
function activitiesOf(element: XmlElement): string[] {
  const places = [element, ...element.children.filter(({ name }) => name === 'status')];
  const lists = places.flatMap(({ children }) =>
    children.filter(({ namespace, name }) => namespace === namespaces.rpid && name === 'activities'),
  );
  return lists.flatMap(({ children }) =>
    children.filter(({ namespace }) => namespace === namespaces.rpid).map(({ name }) => name),
  );
}

function notesOf({ children }: XmlElement): string[] {
  return children
    .filter(({ name }) => name === 'note')
    .map(({ text }) => text.trim().slice(0, noteCharacters).toWellFormed())
    .filter((text) => text !== '');
}

function optional<Key extends string>(key: Key, value: string | undefined): { readonly [K in Key]?: string } {
  return (value === undefined || value === '' ? {} : { [key]: value }) as { readonly [K in Key]?: string };
}
