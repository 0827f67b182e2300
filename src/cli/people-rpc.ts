import type { Unsubscribe } from '../base/events.ts';
import type { Account } from '../engine/account.ts';
import type { Engine } from '../engine/engine.ts';
import type { People } from '../engine/people.ts';
import type { AccountPresence } from '../engine/presence/index.ts';
import { systemClock } from '../node/system-clock.ts';
import { attachmentParams, isAttachmentMethod, runAttachmentMethod } from './attachment-rpc.ts';
import { contactParams, isContactMethod, runContactMethod } from './contact-rpc.ts';
import { historyParams, isHistoryMethod, runHistoryMethod, type HistoryParts } from './history-rpc.ts';
import { RpcError } from './json-rpc.ts';
import { isPresenceMethod, presenceParams, runPresenceMethod } from './presence-rpc.ts';

/** Contacts, presence, history and received files over docs/ue-rpc.md. */
export const peopleParams = { ...contactParams, ...presenceParams, ...historyParams, ...attachmentParams } as const;
export type PeopleMethod = keyof typeof peopleParams;

export function isPeopleMethod(method: string): method is PeopleMethod {
  return Object.hasOwn(peopleParams, method);
}

export interface PeopleParts extends HistoryParts {
  readonly people: Pick<People, 'contacts' | 'trust'>;
  readonly presence: AccountPresence;
}

/** @param account of this engine */
export function peopleParts(engine: Engine, account: Account): PeopleParts | undefined {
  const { id, identity } = account.config;
  const presence = engine.people.presence(id);
  if (presence === undefined) return undefined;
  return {
    people: engine.people,
    presence,
    accountId: id,
    identity,
    store: engine.store.account(id),
    clock: systemClock,
    files: () => account.files.views(),
    storage: engine.files,
  };
}

export async function runPeopleMethod(
  parts: PeopleParts | undefined,
  method: PeopleMethod,
  given: unknown,
): Promise<unknown> {
  if (parts === undefined) throw new RpcError('unknown-method', 'There is no such method here.');
  if (isContactMethod(method)) return runContactMethod(parts.people, method, given);
  if (isPresenceMethod(method)) return runPresenceMethod(parts.presence, method, given);
  if (isHistoryMethod(method)) return runHistoryMethod(parts, method, given);
  if (isAttachmentMethod(method)) return runAttachmentMethod(parts.storage, method, given);
  return method satisfies never;
}

/** What changes is told as it changes. */
export function tellPeople(
  parts: PeopleParts | undefined,
  notify: (method: string, content: unknown) => void,
): readonly Unsubscribe[] {
  if (parts === undefined) return [];
  const { people, presence, accountId } = parts;
  return [
    people.contacts.events.on('contact', (change) => notify('contact', change)),
    people.trust.events.on('trustChanged', (change) => {
      if (change.accountId === accountId) notify('trust.changed', change);
    }),
    presence.events.on('presence', (view) => notify('presence', view)),
    presence.events.on('own', (own) => notify('presence.own', own)),
  ];
}
