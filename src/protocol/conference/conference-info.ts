import { ProtocolError } from '../../base/errors.ts';
import { childOf, childText, readXml, type XmlElement } from '../xml/index.ts';

const namespace = 'urn:ietf:params:xml:ns:conference-info';
const limits = { octets: 512 * 1024, depth: 16, elements: 20_000 };
const field = 'conference-info';

export type ConferenceState = 'full' | 'partial' | 'deleted';

/** One user of a notification (RFC 4575 section 5.6). */
export interface ConferenceUser {
  /** The user's URI, by which private messages reach it. */
  readonly entity: string;
  readonly state: ConferenceState;
  readonly displayText?: string;
  /** RFC 7701 section 7.4, RFC 6501. */
  readonly nickname?: string;
  readonly roles: readonly string[];
  readonly endpoints: readonly ConferenceEndpoint[];
}

export interface ConferenceEndpoint {
  readonly entity: string;
  readonly state: ConferenceState;
  /** `connected`, `disconnected`, `on-hold` and others as written; absent in a partial state that says nothing of it. */
  readonly status?: string;
}

/** A document of the conference event package (RFC 4575 section 5). */
export interface ConferenceInfo {
  /** URI of the conference. */
  readonly entity: string;
  readonly state: ConferenceState;
  /** Undefined in a partial document that leaves it out; such a one cannot be put in order. */
  readonly version: number | undefined;
  readonly subject?: string;
  readonly displayText?: string;
  readonly userCount?: number;
  /** Absent in a partial document that says nothing of users. */
  readonly users?: { readonly state: ConferenceState; readonly users: readonly ConferenceUser[] };
}

/** @throws ProtocolError `malformed` for what is no such document. */
export function readConferenceInfo(bytes: Uint8Array): ConferenceInfo {
  const root = readXml(bytes, field, limits);
  const entity = root.attributes['entity'] ?? '';
  if (root.namespace !== namespace || root.name !== 'conference-info' || entity === '') {
    throw new ProtocolError('malformed', 'another document', { field, expected: 'conference-info with its entity' });
  }
  const description = childOf(root, 'conference-description');
  const count = childText(childOf(root, 'conference-state') ?? root, 'user-count');
  const users = childOf(root, 'users');
  return {
    entity,
    state: stateOf(root, 'full'),
    version: numberOf(root.attributes['version']),
    ...optional('subject', description && childText(description, 'subject')),
    ...optional('displayText', description && childText(description, 'display-text')),
    ...optional('userCount', numberOf(count)),
    ...(users === undefined
      ? {}
      : { users: { state: stateOf(users, 'full'), users: childrenOf(users, 'user').map(readUser) } }),
  };
}

function readUser(element: XmlElement): ConferenceUser {
  const roles = childOf(element, 'roles');
  return {
    entity: required(element, 'entity'),
    state: stateOf(element, 'full'),
    ...optional('displayText', childText(element, 'display-text')),
    ...optional('nickname', nicknameOf(element)),
    roles: roles === undefined ? [] : childrenOf(roles, 'entry').map(({ text }) => text.trim()),
    endpoints: childrenOf(element, 'endpoint').map((endpoint) => ({
      entity: required(endpoint, 'entity'),
      state: stateOf(endpoint, 'full'),
      ...optional('status', childText(endpoint, 'status')),
    })),
  };
}

/** RFC 6501 has an attribute of `user`; some rooms write an element. */
function nicknameOf(element: XmlElement): string | undefined {
  const child = element.children.find(({ name }) => name === 'nickname');
  return element.attributes['nickname'] ?? child?.text.trim();
}

function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name && child.namespace === namespace);
}

function required(element: XmlElement, name: string): string {
  const value = element.attributes[name]?.trim() ?? '';
  if (value !== '') return value;
  throw new ProtocolError('malformed', `${element.name} without ${name}`, { field, expected: `its ${name}` });
}

function stateOf(element: XmlElement, otherwise: ConferenceState): ConferenceState {
  const state = element.attributes['state'] ?? otherwise;
  if (state === 'full' || state === 'partial' || state === 'deleted') return state;
  throw new ProtocolError('malformed', 'unknown state', { field, expected: 'full, partial or deleted' });
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function optional<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return (value === undefined || value === '' ? {} : { [key]: value }) as { [K in Key]?: Value };
}
