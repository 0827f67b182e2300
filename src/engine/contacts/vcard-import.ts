import { readVCards, type VCardProblem } from '../../protocol/vcard/index.ts';
import type { Contact, ContactDraft } from './contact.ts';
import type { ContactBook } from './contact-book.ts';
import { readCard, type LeftOut } from './card-contact.ts';

/** What became of one card. */
export interface ImportedCard {
  /** Line of the file at which it begins. */
  readonly line: number;
  /** `updated`: a contact was there already, by its UID or an address. */
  readonly outcome: 'added' | 'updated' | 'unchanged' | 'refused';
  readonly contact?: Contact;
  /** A sentence without its full stop; for `refused`. */
  readonly why?: string;
  /** What of it was not taken. */
  readonly leftOut: readonly LeftOut[];
}

export interface ImportReport {
  readonly cards: readonly ImportedCard[];
  /** What could not be read as a card at all. */
  readonly problems: readonly VCardProblem[];
}

/**
 * Takes the contacts of a vCard file into the book. A card whose contact is there adds to it what it lacks: nothing that the user
 * wrote is replaced, and nothing about protection is touched.
 * @throws ProtocolError `malformed` for what is no file of cards.
 */
export function importVCards(book: ContactBook, bytes: Uint8Array): ImportReport {
  const { cards, problems } = readVCards(bytes);
  return {
    problems,
    cards: cards.map((card) => {
      const { line } = card;
      const reading = readCard(card);
      const { leftOut } = reading;
      if (reading.draft === undefined) return { line, outcome: 'refused', why: reading.why, leftOut };
      return { line, leftOut, ...take(book, reading.draft) };
    }),
  };
}

function take(book: ContactBook, draft: ContactDraft): Pick<ImportedCard, 'outcome' | 'contact' | 'why'> {
  const known = knownAs(book, draft);
  if (known === undefined) return kept('added', book, draft);
  // What another contact has stays with it.
  const free = draft.addresses.filter((address) => (book.find(address)?.id ?? known.id) === known.id);
  const { uid, ...card } = draft;
  const added = {
    ...card,
    ...(isOwn(uid, known) ? {} : { uid }),
    ...known,
    addresses: [...new Set([...known.addresses, ...free])],
  };
  const isSame =
    added.addresses.length === known.addresses.length &&
    (['organisation', 'note', 'uid'] as const).every((field) => added[field] === known[field]) &&
    (known.photo !== undefined || draft.photo === undefined);
  return isSame ? { outcome: 'unchanged', contact: known } : kept('updated', book, added);
}

/** A card that we wrote ourselves names no UID of somebody else's. */
function isOwn(uid: string | undefined, { id }: Contact): uid is undefined {
  return uid === undefined || uid === `tessera:${id}`;
}

function knownAs(book: ContactBook, { uid, addresses }: ContactDraft): Contact | undefined {
  const byUid = uid === undefined ? undefined : (book.findByUid(uid) ?? book.get(uid.replace(/^tessera:/, '')));
  if (byUid !== undefined) return byUid;
  for (const address of addresses) {
    const found = book.find(address);
    if (found !== undefined) return found;
  }
  return undefined;
}

function kept(
  outcome: 'added' | 'updated',
  book: ContactBook,
  draft: ContactDraft,
): Pick<ImportedCard, 'outcome' | 'contact' | 'why'> {
  const put = book.put(draft);
  if (put.outcome === 'kept') return { outcome, contact: put.contact };
  return { outcome: 'refused', why: put.problem.explanation.replace(/\.$/, '') };
}
