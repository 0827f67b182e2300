export type { Contact, ContactDraft } from './contact.ts';
export { ContactBook, type ContactChange, type PutOutcome } from './contact-book.ts';
export { ContactPolicyLink } from './contact-policies.ts';
export { contactsToVCards, contactToVCard } from './vcard-export.ts';
export { importVCards } from './vcard-import.ts';
export { TrustHistory, type TrustChange } from './trust-history.ts';
