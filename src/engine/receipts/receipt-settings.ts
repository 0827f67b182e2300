import type { ReceiptsConfig } from '../account-config.ts';
import { limits } from '../limits.ts';
import { wantsNothing, type WantedReceipts } from '../message-content.ts';
import type { Note, NoteStore } from '../store/index.ts';

const kind = 'receipts';
const names = ['delivery', 'display', 'askDelivery', 'askDisplay', 'askProcessing', 'sayForbidden'] as const;

/** What an account tells its peers of their messages, and what it asks them to tell: for all, and for single contacts otherwise. */
export class ReceiptSettings {
  readonly #account: ReceiptsConfig;
  readonly #notes: NoteStore;
  readonly #ofContacts: (peer: string) => ReceiptsConfig | undefined;

  /** @param ofContacts what stands in the address book */
  constructor(
    account: ReceiptsConfig,
    notes: NoteStore,
    ofContacts: (peer: string) => ReceiptsConfig | undefined = () => undefined,
  ) {
    this.#account = account;
    this.#notes = notes;
    this.#ofContacts = ofContacts;
  }

  /** Undefined returns the contact to what holds for the account. */
  setContact(peer: string, settings: ReceiptsConfig | undefined): void {
    if (settings === undefined) this.#notes.delete(kind, peer);
    else this.#notes.set(kind, peer, { ...settings });
  }

  /** What was set for this contact in this account. */
  ofContact(peer: string): ReceiptsConfig {
    return read(this.#notes.get(kind, peer));
  }

  tells(peer: string, what: 'delivery' | 'display'): boolean {
    return this.#of(peer)[what] ?? true;
  }

  /** Whether a wish that is not fulfilled is answered at all (RFC 5438 5.1: forbidden). Silence tells nothing, not even that. */
  saysForbidden(peer: string): boolean {
    return this.#of(peer).sayForbidden ?? false;
  }

  /** What a message asks for. @param takesNotifications false for a peer that answered 415 to one */
  wanted(peer: string, recipients: number, takesNotifications: boolean): WantedReceipts {
    // Of many, each notification would be a message to us: a storm of our own making.
    if (!takesNotifications || recipients > limits.receiptRecipients) return wantsNothing;
    const { askDelivery = true, askDisplay = true, askProcessing = false } = this.#of(peer);
    return { delivery: askDelivery, failure: askDelivery, display: askDisplay, processing: askProcessing };
  }

  #of(peer: string): ReceiptsConfig {
    return { ...this.#account, ...this.#ofContacts(peer), ...this.ofContact(peer) };
  }
}

function read(note: Note | undefined): ReceiptsConfig {
  if (typeof note !== 'object' || note === null || Array.isArray(note)) return {};
  const settings = note as Readonly<Record<string, Note | undefined>>;
  const known = names.flatMap((name) => (typeof settings[name] === 'boolean' ? [[name, settings[name]]] : []));
  return Object.fromEntries(known) as ReceiptsConfig;
}
