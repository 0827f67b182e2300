import { ProtocolError } from '../../base/errors.ts';
import { childText, readXml, type XmlElement } from '../xml/index.ts';

export const reginfoContentType = 'application/reginfo+xml';
const namespace = 'urn:ietf:params:xml:ns:reginfo';

const contactEvents = [
  'registered',
  'created',
  'refreshed',
  'shortened',
  'expired',
  'deactivated',
  'probation',
  'unregistered',
  'rejected',
] as const;

/** What happened to a contact last (RFC 3680 clause 4.2). */
export type ContactEvent = (typeof contactEvents)[number];

export interface RegisteredContact {
  /** Unique among the contacts of its registration, and the same in every document. */
  readonly id: string;
  readonly isActive: boolean;
  /** Undefined for an event of a later version. */
  readonly event: ContactEvent | undefined;
  readonly uri: string;
  /** Seconds from the document until it ends. */
  readonly expires: number | undefined;
  /** Seconds after which a contact in probation may register again. */
  readonly retryAfter: number | undefined;
  readonly displayName: string | undefined;
  /** Of the Contact header (RFC 3680 clause 5.3.4): `+sip.instance` without its brackets. */
  readonly instanceId: string | undefined;
}

/** One address of record. */
export interface RegistrationElement {
  readonly aor: string;
  readonly id: string;
  readonly state: 'init' | 'active' | 'terminated';
  readonly contacts: readonly RegisteredContact[];
}

/** `application/reginfo+xml` (RFC 3680 clause 5). */
export interface ReginfoDocument {
  readonly version: number;
  /** False when it holds only what has changed. */
  readonly isFull: boolean;
  readonly registrations: readonly RegistrationElement[];
}

const limits = { octets: 256 * 1024, depth: 8, elements: 5000 };
const maxTextLength = 1024;
const maxSeconds = 2 ** 31;

/** Elements and attributes that are not of RFC 3680 are ignored. @throws ProtocolError `malformed`, hint SIP 400 */
export function readReginfo(bytes: Uint8Array): ReginfoDocument {
  const root = readXml(bytes, 'reginfo', limits);
  if (root.name !== 'reginfo' || root.namespace !== namespace) fail('reginfo', `reginfo in ${namespace}`);
  const state = root.attributes.state;
  if (state !== 'full' && state !== 'partial') fail('reginfo.state', 'full or partial');
  return {
    version: readNumber(root.attributes.version) ?? fail('reginfo.version', 'a number'),
    isFull: state === 'full',
    registrations: childrenOf(root, 'registration').map(readRegistration),
  };
}

function readRegistration(element: XmlElement): RegistrationElement {
  const { aor, id, state } = element.attributes;
  if (state !== 'init' && state !== 'active' && state !== 'terminated') {
    fail('reginfo.registration.state', 'init, active or terminated');
  }
  return {
    aor: required(aor, 'reginfo.registration.aor'),
    id: required(id, 'reginfo.registration.id'),
    state,
    contacts: childrenOf(element, 'contact').map(readContact),
  };
}

function readContact(element: XmlElement): RegisteredContact {
  const { id, state, event, expires, 'retry-after': retryAfter } = element.attributes;
  if (state !== 'active' && state !== 'terminated') fail('reginfo.contact.state', 'active or terminated');
  return {
    id: required(id, 'reginfo.contact.id'),
    isActive: state === 'active',
    event: contactEvents.find((known) => known === event),
    uri: required(childText(element, 'uri'), 'reginfo.contact.uri'),
    expires: readNumber(expires),
    retryAfter: readNumber(retryAfter),
    displayName: shortText(childText(element, 'display-name')),
    instanceId: readInstance(element),
  };
}

/** `<unknown-param name="+sip.instance">"&lt;urn:uuid:...&gt;"</unknown-param>` */
function readInstance(contact: XmlElement): string | undefined {
  const parameter = childrenOf(contact, 'unknown-param').find(
    ({ attributes }) => attributes.name?.toLowerCase() === '+sip.instance',
  );
  return shortText(/^"?<?([^<>"]+)>?"?$/.exec(parameter?.text.trim() ?? '')?.[1]);
}

function childrenOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((child) => child.name === name && child.namespace === namespace);
}

function readNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Math.min(Number(text), maxSeconds) : undefined;
}

function shortText(text: string | undefined): string | undefined {
  return text === undefined || text === '' || text.length > maxTextLength ? undefined : text;
}

function required(text: string | undefined, field: string): string {
  return shortText(text) ?? fail(field, `1 to ${maxTextLength} characters`);
}

function fail(field: string, expected: string): never {
  throw new ProtocolError('malformed', 'not in the form of RFC 3680', { field, expected, hint: { sip: 400 } });
}
