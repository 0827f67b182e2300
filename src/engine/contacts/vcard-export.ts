import { utf8 } from '../../base/bytes.ts';
import { escapeText, writeVCard, type VCardProperty } from '../../protocol/vcard/index.ts';
import type { Contact } from './contact.ts';

/** One card in vCard 4.0. What is said about protection stays here: policies, receipts and what was seen of keys. */
export function contactToVCard(contact: Contact): string {
  const { name, addresses, organisation, note, photo, uid, id, changedAt } = contact;
  const property = (
    key: string,
    value: string,
    parameters: readonly (readonly [string, readonly string[]])[] = [],
  ): VCardProperty => ({ name: key, value, parameters: new Map(parameters) });
  return writeVCard([
    property('FN', escapeText(name)),
    property('UID', escapeText(uid ?? `tessera:${id}`), [['VALUE', ['text']]]),
    ...addresses.map((address, index) => addressProperty(address, index + 1)),
    ...(organisation === undefined ? [] : [property('ORG', escapeText(organisation))]),
    ...(note === undefined ? [] : [property('NOTE', escapeText(note))]),
    ...(photo === undefined ? [] : [property('PHOTO', `data:${photo.contentType};base64,${photo.base64}`)]),
    property('REV', timestamp(changedAt)),
  ]);
}

/** A file of cards, one after the other. */
export function contactsToVCards(contacts: readonly Contact[]): Uint8Array {
  return utf8(contacts.map(contactToVCard).join(''));
}

/** RFC 6350 section 6.4: the lower the number, the more it is preferred. */
function addressProperty(address: string, preference: number): VCardProperty {
  const parameters = new Map<string, readonly string[]>([['PREF', [`${Math.min(preference, 100)}`]]]);
  if (!address.startsWith('tel:')) return { name: 'IMPP', parameters, value: address };
  return { name: 'TEL', parameters: parameters.set('VALUE', ['uri']), value: address };
}

/** RFC 6350 section 4.3.5: `19961022T140000Z`. */
function timestamp(at: number): string {
  return new Date(at).toISOString().replace(/[-:]|\.\d+/g, '');
}
