import { toHex, utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/digest.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import { limits } from '../limits.ts';
import { refuse } from '../refusal.ts';
import type { Note, NoteStore } from '../store/index.ts';

const kind = 'group';
const prefix = 'group:';
const idOctets = 16;

/** Conversation of all who are in it, whoever speaks: made of the sorted addresses, so that each device comes to the same. */
export function groupId(members: readonly string[]): string {
  const sorted = [...new Set(members)].sort();
  return prefix + toHex(sha256(utf8(sorted.join('\n'))).subarray(0, idOctets));
}

function isGroupId(conversation: string): boolean {
  return conversation.startsWith(prefix);
}

/** The addresses in their one form, each once; what is no address is left out. */
export function canonicalMembers(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses.flatMap((address) => tryKmsUserIdentity(address) ?? []))];
}

/**
 * Those to whom a message to a group goes, ourselves not among them.
 * @throws RefusalError `invalid-address` when one is no address, or they are too few or too many
 */
export function groupRecipients(addresses: readonly string[], self: string): readonly string[] {
  if (addresses.some((address) => tryKmsUserIdentity(address) === undefined)) throw refuse('invalid-address');
  const others = canonicalMembers(addresses).filter((address) => address !== self);
  if (others.length >= 2 && others.length < limits.groupMembers) return others;
  throw refuse('invalid-address', 'message', {
    happened: `A group has 2 to ${limits.groupMembers - 1} recipients beside yourself, and these are ${others.length}`,
  });
}

/** Who is in the groups of an account, itself included. */
export class Groups {
  readonly #notes: NoteStore;

  constructor(notes: NoteStore) {
    this.#notes = notes;
  }

  /** @param members all, ourselves too. @returns the id of their group */
  remember(members: readonly string[]): string {
    const id = groupId(members);
    const sorted = [...new Set(members)].sort();
    if (this.#notes.get(kind, id) === undefined) this.#notes.set(kind, id, sorted);
    return id;
  }

  /** Sorted; undefined when there is no such group. */
  membersOf(id: string): readonly string[] | undefined {
    return isGroupId(id) ? stringsOf(this.#notes.get(kind, id)) : undefined;
  }
}

function stringsOf(note: Note | undefined): readonly string[] | undefined {
  if (!Array.isArray(note)) return undefined;
  return (note as readonly Note[])
    .filter((each): each is string => typeof each === 'string')
    .slice(0, limits.groupMembers);
}
