import type { ConferenceEndpoint, ConferenceInfo, ConferenceUser } from './conference-info.ts';

/** Who is in a room, as far as it was told. */
export interface RosterEntry {
  readonly entity: string;
  readonly displayText?: string;
  readonly nickname?: string;
  readonly roles: readonly string[];
  /** False when every device of the user has left, or none is known to be there. */
  readonly isPresent: boolean;
}

export type RosterChange =
  | 'changed'
  /** Older than what is known, or the same: passed over. */
  | 'old'
  /** Something between was lost: the whole must be asked for again (RFC 4575 section 4.6). */
  | 'gap'
  /** The conference is over. */
  | 'ended';

/** Entries that a room may fill our memory with. */
const maxEntries = 5_000;

/** Puts notifications together to one picture of the room (RFC 4575 section 4.6). */
export class Roster {
  #version: number | undefined;
  #users = new Map<string, ConferenceUser>();

  apply(info: ConferenceInfo): RosterChange {
    if (info.state === 'deleted') {
      this.#users.clear();
      return 'ended';
    }
    const { version } = info;
    if (info.state === 'full') {
      if (version !== undefined && this.#version !== undefined && version <= this.#version) return 'old';
      this.#users.clear();
    } else {
      // A change is a change of something: without a whole before it, or out of turn, it means nothing.
      if (this.#version === undefined || version === undefined) return 'gap';
      if (version <= this.#version) return 'old';
      if (version !== this.#version + 1) return 'gap';
    }
    this.#version = version ?? 0;
    this.#applyUsers(info);
    return 'changed';
  }

  entries(): RosterEntry[] {
    return [...this.#users.values()].map(({ entity, displayText, nickname, roles, endpoints }) => ({
      entity,
      ...(displayText === undefined ? {} : { displayText }),
      ...(nickname === undefined ? {} : { nickname }),
      roles,
      isPresent: endpoints.some(({ status }) => status === undefined || !/^disconnect/.test(status)),
    }));
  }

  #applyUsers({ users }: ConferenceInfo): void {
    if (users === undefined) return;
    if (users.state === 'full') this.#users.clear();
    for (const user of users.users) {
      if (user.state === 'deleted') this.#users.delete(user.entity);
      else if (this.#users.has(user.entity) || this.#users.size < maxEntries) {
        const before = user.state === 'partial' ? this.#users.get(user.entity) : undefined;
        this.#users.set(user.entity, before === undefined ? withoutDeleted(user) : merged(before, user));
      }
    }
  }
}

function merged(before: ConferenceUser, change: ConferenceUser): ConferenceUser {
  const endpoints = new Map(before.endpoints.map((endpoint) => [endpoint.entity, endpoint]));
  for (const endpoint of change.endpoints) {
    if (endpoint.state === 'deleted') endpoints.delete(endpoint.entity);
    else endpoints.set(endpoint.entity, mergedEndpoint(endpoints.get(endpoint.entity), endpoint));
  }
  const roles = change.roles.length > 0 ? change.roles : before.roles;
  return { ...before, ...change, roles, endpoints: [...endpoints.values()] };
}

function mergedEndpoint(before: ConferenceEndpoint | undefined, change: ConferenceEndpoint): ConferenceEndpoint {
  return change.state === 'partial' ? { ...before, ...change } : change;
}

function withoutDeleted(user: ConferenceUser): ConferenceUser {
  return { ...user, endpoints: user.endpoints.filter(({ state }) => state !== 'deleted') };
}
