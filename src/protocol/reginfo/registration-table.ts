import type { ReginfoDocument, RegistrationElement } from './reginfo.ts';

/** What a document did to the table. */
export type TableChange =
  /** `changed` holds what the document told, ended contacts included. */
  | { readonly kind: 'updated'; readonly changed: readonly RegistrationElement[] }
  /** An old document, or the same again. */
  | { readonly kind: 'old' }
  /** A partial document after one that never came: only full state helps. */
  | { readonly kind: 'gap' };

/** The state of registrations as one subscription tells it (RFC 3680 clause 5.1). */
export class RegistrationTable {
  readonly #registrations = new Map<string, RegistrationElement>();
  #version: number | undefined;

  /** What is registered now: contacts that have ended are not in it any more. */
  get registrations(): readonly RegistrationElement[] {
    return [...this.#registrations.values()];
  }

  apply(document: ReginfoDocument): TableChange {
    const { version, isFull, registrations } = document;
    if (this.#version !== undefined && version <= this.#version) return { kind: 'old' };
    if (!isFull && (this.#version === undefined || version > this.#version + 1)) return { kind: 'gap' };
    this.#version = version;
    if (isFull) this.#registrations.clear();
    for (const registration of registrations) this.#merge(registration);
    return { kind: 'updated', changed: registrations };
  }

  #merge(registration: RegistrationElement): void {
    if (registration.state === 'terminated') {
      this.#registrations.delete(registration.id);
      return;
    }
    const contacts = new Map(this.#registrations.get(registration.id)?.contacts.map((one) => [one.id, one]));
    for (const contact of registration.contacts) {
      if (contact.isActive) contacts.set(contact.id, contact);
      else contacts.delete(contact.id);
    }
    this.#registrations.set(registration.id, { ...registration, contacts: [...contacts.values()] });
  }
}
