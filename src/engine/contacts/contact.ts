import { fromBase64, toBase64 } from '../../base/bytes.ts';
import { assertProtocolError } from '../../base/errors.ts';
import type { Policy } from '../../base/protection-level.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import { pictureType } from '../files/file-icon.ts';
import { limits } from '../limits.ts';

/** A small picture; its first octets were checked, nothing more. */
export type ContactPhoto = {
  readonly contentType: 'image/png' | 'image/jpeg' | 'image/webp';
  /** At most 64 KiB when decoded. */
  readonly base64: string;
};

/** What this contact is told about its messages; what is absent is as the account has it. */
export type ContactReceipts = {
  readonly delivery?: boolean;
  readonly display?: boolean;
};

/** A person or a group of people in the one address book of this program. Plain JSON, and kept as it is: a type and no interface, which is no `Note`. */
export type Contact = {
  readonly id: string;
  readonly name: string;
  /** KMS user identities, `sip:user@host` or `tel:+digits`, the preferred one first; each belongs to one contact only. */
  readonly addresses: readonly string[];
  readonly organisation?: string;
  readonly note?: string;
  readonly photo?: ContactPhoto;
  /** UID of the card that it came from, by which the same card is known again. */
  readonly uid?: string;
  /** For all its addresses in every account; that of the account when absent. */
  readonly policy?: Policy;
  /** For all its addresses in one account, by id of the account, instead of `policy`. */
  readonly accountPolicies?: Readonly<Record<string, Policy>>;
  readonly receipts?: ContactReceipts;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly changedAt: number;
};

/** What a user writes of a contact. `id` is given for one that exists: then what is absent here is taken away. */
export type ContactDraft = Omit<Contact, 'id' | 'createdAt' | 'changedAt' | 'photo'> & {
  readonly id?: string;
  /** Octets of a PNG, JPEG or WebP picture. */
  readonly photo?: Uint8Array | ContactPhoto;
};

/** Why a contact is not kept. */
export interface ContactProblem {
  readonly field: 'id' | 'name' | 'addresses' | 'organisation' | 'note' | 'photo' | 'uid' | 'book';
  /** A sentence, for the user. */
  readonly explanation: string;
  /** The contact that has one of the addresses already. */
  readonly other?: string;
}

export type CheckedDraft =
  { readonly checked: Omit<Contact, 'id' | 'createdAt' | 'changedAt'> } | { readonly problem: ContactProblem };

/** What of a draft can be kept: texts trimmed and bounded, addresses in their canonical form. */
export function checkDraft(draft: ContactDraft): CheckedDraft {
  const addresses: string[] = [];
  for (const address of draft.addresses) {
    const canonical = tryKmsUserIdentity(address);
    if (canonical === undefined || canonical.length > limits.contactAddressCharacters) {
      return problem('addresses', 'Each address is like sip:alice@example.org or tel:+15550100.');
    }
    if (!addresses.includes(canonical)) addresses.push(canonical);
  }
  if (addresses.length === 0) return problem('addresses', 'A contact needs an address.');
  if (addresses.length > limits.contactAddresses) {
    return problem('addresses', `A contact has at most ${limits.contactAddresses} addresses.`);
  }
  const name = oneLine(draft.name) || (addresses[0] ?? '');
  const organisation = oneLine(draft.organisation ?? '');
  const note = (draft.note ?? '').toWellFormed().replace(/\r\n?/g, '\n').trim();
  const uid = oneLine(draft.uid ?? '');
  for (const [field, text, most] of [
    ['name', name, limits.contactNameCharacters],
    ['organisation', organisation, limits.contactNameCharacters],
    ['note', note, limits.contactNoteCharacters],
    ['uid', uid, limits.contactUidCharacters],
  ] as const) {
    if (text.length > most) return problem(field, `This text has at most ${most} characters.`);
  }
  const photo = draft.photo === undefined ? undefined : readPhoto(draft.photo);
  if (photo === null) return problem('photo', 'The picture is a PNG, JPEG or WebP of at most 64 KiB.');
  const { policy, accountPolicies = {}, receipts = {} } = draft;
  return {
    checked: {
      name,
      addresses,
      ...(organisation === '' ? {} : { organisation }),
      ...(note === '' ? {} : { note }),
      ...(photo === undefined ? {} : { photo }),
      ...(uid === '' ? {} : { uid }),
      ...(policy === undefined ? {} : { policy }),
      ...(Object.keys(accountPolicies).length === 0 ? {} : { accountPolicies }),
      ...(Object.keys(receipts).length === 0 ? {} : { receipts }),
    },
  };
}

/** The policy that is set for all addresses of a contact in one account. */
export function policyOf({ policy, accountPolicies }: Contact, accountId: string): Policy | undefined {
  return accountPolicies?.[accountId] ?? policy;
}

/** Null for what is no small picture. */
function readPhoto(given: Uint8Array | ContactPhoto): ContactPhoto | null {
  const bytes = given instanceof Uint8Array ? given : octetsOf(given.base64);
  const contentType = bytes && bytes.length <= limits.contactPhotoOctets ? pictureType(bytes) : undefined;
  return bytes === undefined || contentType === undefined ? null : { contentType, base64: toBase64(bytes) };
}

function octetsOf(base64: string): Uint8Array | undefined {
  try {
    return fromBase64(base64, 'contact.photo');
  } catch (error) {
    assertProtocolError(error);
    return undefined;
  }
}

function oneLine(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
}

function problem(field: ContactProblem['field'], explanation: string): { readonly problem: ContactProblem } {
  return { problem: { field, explanation } };
}
