import { fromBase64 } from '../../base/bytes.ts';
import { assertProtocolError } from '../../base/errors.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import {
  components,
  parameterValues,
  unescapeText,
  type VCard,
  type VCardProperty,
} from '../../protocol/vcard/index.ts';
import { pictureType } from '../files/file-icon.ts';
import { limits } from '../limits.ts';
import type { ContactDraft } from './contact.ts';

/** Something of a card that was not taken. */
export interface LeftOut {
  /** Name of the property, `EMAIL`. */
  readonly property: string;
  /** A sentence without its full stop, for the user. */
  readonly why: string;
}

export type CardReading =
  | { readonly draft: ContactDraft; readonly leftOut: readonly LeftOut[] }
  | { readonly draft: undefined; readonly why: string; readonly leftOut: readonly LeftOut[] };

/** They say nothing that a contact could have, or something that is made anew. */
const silent: ReadonlySet<string> = new Set([
  'N',
  'FN',
  'PRODID',
  'REV',
  'SORT-STRING',
  'KIND',
  'UID',
  'NAME',
  'SOURCE',
]);

/** What a card says, as a contact; pictures on servers are never fetched. */
export function readCard(card: VCard): CardReading {
  const leftOut: LeftOut[] = [];
  const addresses: { readonly address: string; readonly preference: number }[] = [];
  const notes: string[] = [];
  let organisation: string | undefined;
  let photo: Uint8Array | undefined;
  for (const property of card.properties) {
    const { name, value } = property;
    const leave = (why: string): unknown => leftOut.push({ property: name, why });
    switch (name) {
      case 'TEL':
      case 'IMPP':
      case 'X-SIP':
      case 'URL': {
        const address = addressOf(property);
        if (address.address === undefined) leave(address.why);
        else addresses.push({ address: address.address, preference: preferenceOf(property) });
        break;
      }
      case 'ORG':
        organisation ??= components(value).filter(Boolean).join(', ');
        break;
      case 'NOTE':
        notes.push(unescapeText(value));
        break;
      case 'PHOTO': {
        const picture = readPicture(property);
        if (typeof picture === 'string') leave(picture);
        else if (photo === undefined) photo = picture;
        else leave('A contact has one picture');
        break;
      }
      default:
        if (!silent.has(name)) leave('A contact here has no place for it');
    }
  }
  if (firstOf(card, 'KIND')?.value.toLowerCase() === 'group')
    return refusedCard('It is a list of other cards', leftOut);
  if (addresses.length === 0)
    return refusedCard('It has no SIP address and no telephone number with its country', leftOut);
  const ordered = [...addresses].sort((one, other) => one.preference - other.preference).map(({ address }) => address);
  const unique = [...new Set(ordered)];
  if (unique.length > limits.contactAddresses) leftOut.push({ property: 'TEL', why: 'A contact has fewer addresses' });
  const uid = firstOf(card, 'UID');
  return {
    draft: {
      name: cut(nameOf(card) ?? organisation ?? unique[0] ?? '', limits.contactNameCharacters, 'FN', leftOut),
      addresses: unique.slice(0, limits.contactAddresses),
      ...optional('organisation', organisation, limits.contactNameCharacters, 'ORG', leftOut),
      ...optional('note', notes.join('\n').trim(), limits.contactNoteCharacters, 'NOTE', leftOut),
      ...(uid === undefined || uid.value.length > limits.contactUidCharacters ? {} : { uid: unescapeText(uid.value) }),
      ...(photo === undefined ? {} : { photo }),
    },
    leftOut,
  };
}

function refusedCard(why: string, leftOut: readonly LeftOut[]): CardReading {
  return { draft: undefined, why, leftOut };
}

/** FN, else the parts of N in the order in which they are spoken: prefix, given, additional, family, suffix. */
function nameOf(card: VCard): string | undefined {
  const full = unescapeText(firstOf(card, 'FN')?.value ?? '').trim();
  if (full !== '') return full;
  const [family = '', given = '', additional = '', prefix = '', suffix = ''] = components(
    firstOf(card, 'N')?.value ?? '',
  );
  const spoken = [prefix, given, additional, family, suffix]
    .map((part) => part.trim())
    .filter(Boolean)
    .join(' ');
  return spoken === '' ? undefined : spoken;
}

/** The preferred one, else the first. */
function firstOf({ properties }: VCard, name: string): VCardProperty | undefined {
  const found = properties.filter((property) => property.name === name);
  return found.sort((one, other) => preferenceOf(one) - preferenceOf(other))[0];
}

/** RFC 6350 section 5.3: 1 to 100; vCard 3.0 has a type `pref`. */
function preferenceOf(property: VCardProperty): number {
  const [preference = ''] = parameterValues(property, 'PREF');
  if (/^\d{1,3}$/.test(preference)) return Number(preference);
  return parameterValues(property, 'TYPE').includes('pref') ? 1 : 101;
}

function addressOf(property: VCardProperty): { address: string } | { address: undefined; why: string } {
  const text = unescapeText(property.value).trim();
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase();
  const isSip = scheme === 'sip' || scheme === 'sips';
  if (property.name === 'URL' && !isSip) return { address: undefined, why: 'It is a page and no address' };
  if (property.name === 'TEL' && !isSip) {
    const number = text.replace(/^tel:/i, '').replace(/;.*$/s, '');
    // `+49 (0)30`: the digit in brackets is dialled only without the country.
    const digits = number.replace(/^(\+[^(]*)\(0\)/, '$1').replace(/[\s\-.()/\u00a0\u2010-\u2015]/g, '');
    const address = tryKmsUserIdentity(`tel:${digits}`);
    return address === undefined ? { address, why: 'It is no number with its country, like +1 555 0100' } : { address };
  }
  const isBare = property.name === 'X-SIP' && (scheme === undefined || !isSip) && text.includes('@');
  const address = tryKmsUserIdentity(isBare ? `sip:${text}` : text);
  if (address !== undefined) return { address };
  return { address, why: isSip ? 'It is not the address of a user' : 'It is an address of another service' };
}

/** Octets of a small picture that the card itself holds, or why there is none. */
function readPicture(property: VCardProperty): Uint8Array | string {
  const text = property.value.trim();
  const data = /^data:[^,;]*(?:;[^,;]*)*?;base64,/i.exec(text);
  const [encoding = ''] = parameterValues(property, 'ENCODING');
  if (data === null && encoding !== 'b' && encoding !== 'base64') {
    return 'It is a picture on a server, and none is ever fetched';
  }
  try {
    const bytes = fromBase64(data === null ? text : text.slice(data[0].length), 'vcard.photo');
    if (bytes.length > limits.contactPhotoOctets) return 'The picture is larger than 64 KiB';
    return pictureType(bytes) === undefined ? 'It is no PNG, JPEG or WebP picture' : bytes;
  } catch (error) {
    assertProtocolError(error);
    return 'The picture cannot be read';
  }
}

function optional(
  key: 'organisation' | 'note',
  text: string | undefined,
  most: number,
  property: string,
  leftOut: LeftOut[],
): { readonly organisation?: string; readonly note?: string } {
  return text === undefined || text === '' ? {} : { [key]: cut(text, most, property, leftOut) };
}

function cut(text: string, most: number, property: string, leftOut: LeftOut[]): string {
  if (text.length <= most) return text;
  leftOut.push({ property, why: `Only the first ${most} characters are kept` });
  return text.slice(0, most).toWellFormed();
}
