export type { Contact, ContactDraft, ContactPhoto, ContactProblem, ContactReceipts } from './contact.ts';
export { policyOf } from './contact.ts';
export { ContactBook, type ContactChange, type Duplicates, type PutOutcome } from './contact-book.ts';
export { ContactPolicyLink } from './contact-policies.ts';
export { contactsToVCards, contactToVCard } from './vcard-export.ts';
export { importVCards, type ImportedCard, type ImportReport } from './vcard-import.ts';
export { TrustHistory, type TrustChange } from './trust-history.ts';
export type { Sighting, TrustRecord } from './trust-record.ts';
