import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { fromBase64 } from '../base/bytes.ts';
import { policies } from '../base/protection-level.ts';
import { contactsToVCards, importVCards, type ContactDraft, type PutOutcome } from '../engine/contacts/index.ts';
import type { People } from '../engine/people.ts';
import { writeCopy } from '../node/attachments/index.ts';
import { checkParams, RpcError } from './json-rpc.ts';
import { unusableFile } from './unusable-file.ts';

const id = z.string().min(1).max(100);
const address = z.string().trim().min(1).max(1000);
const path = z.string().min(1).max(4096);
const text = z.string().max(16 * 1024);
const policy = z.enum(policies);

/** The address book over docs/ue-rpc.md. */
export const contactParams = {
  'contacts.list': z.strictObject({}),
  'contacts.get': z.strictObject({ id }),
  'contacts.find': z.strictObject({ address }),
  'contacts.put': z.strictObject({
    id: id.optional(),
    name: text,
    addresses: z.array(address).max(100),
    organisation: text.optional(),
    note: text.optional(),
    /** Base64 of a picture. */
    photo: z
      .base64()
      .max(128 * 1024)
      .optional(),
    policy: policy.optional(),
    accountPolicies: z.record(z.string(), policy).optional(),
    receipts: z.strictObject({ delivery: z.boolean().optional(), display: z.boolean().optional() }).optional(),
  }),
  'contacts.remove': z.strictObject({ id }),
  'contacts.duplicates': z.strictObject({}),
  'contacts.merge': z.strictObject({ ids: z.array(id).min(2).max(100) }),
  'contacts.import': z.strictObject({ path }),
  'contacts.export': z.strictObject({ path, id: id.optional() }),
  'contacts.trust': z.strictObject({ address }),
  'contacts.forgetTrust': z.strictObject({ address }),
} as const;
export type ContactMethod = keyof typeof contactParams;

export function isContactMethod(method: string): method is ContactMethod {
  return Object.hasOwn(contactParams, method);
}

export async function runContactMethod(
  people: Pick<People, 'contacts' | 'trust'>,
  method: ContactMethod,
  given: unknown,
): Promise<unknown> {
  const { contacts, trust } = people;
  switch (method) {
    case 'contacts.list':
      checkParams(contactParams[method], given);
      return { contacts: contacts.list() };
    case 'contacts.get':
      return contacts.get(checkParams(contactParams[method], given).id) ?? noSuchContact();
    case 'contacts.find':
      return { contact: contacts.find(checkParams(contactParams[method], given).address) ?? null };
    case 'contacts.put':
      return put(people, checkParams(contactParams[method], given));
    case 'contacts.remove':
      return contacts.remove(checkParams(contactParams[method], given).id) ?? noSuchContact();
    case 'contacts.duplicates':
      checkParams(contactParams[method], given);
      return { groups: contacts.duplicates() };
    case 'contacts.merge':
      return outcome(contacts.merge(checkParams(contactParams[method], given).ids));
    case 'contacts.import': {
      const octets = await readFile(checkParams(contactParams[method], given).path).catch((error: unknown) =>
        unusableFile(error),
      );
      try {
        return importVCards(contacts, octets);
      } catch (error) {
        return unusableFile(error);
      }
    }
    case 'contacts.export': {
      const asked = checkParams(contactParams[method], given);
      const chosen = asked.id === undefined ? contacts.list() : [contacts.get(asked.id) ?? noSuchContact()];
      await writeCopy(asked.path, [contactsToVCards(chosen)]).catch((error: unknown) => unusableFile(error));
      return { path: asked.path, contacts: chosen.length };
    }
    case 'contacts.trust':
      return { records: trust.of(checkParams(contactParams[method], given).address) };
    case 'contacts.forgetTrust':
      return { removed: trust.forget(checkParams(contactParams[method], given).address) };
  }
}

function put(
  people: Pick<People, 'contacts'>,
  { photo, ...given }: z.output<(typeof contactParams)['contacts.put']>,
): unknown {
  // What was not given is absent, and not undefined: JSON has no undefined.
  const draft = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as ContactDraft;
  return outcome(people.contacts.put(photo === undefined ? draft : { ...draft, photo: fromBase64(photo) }));
}

function outcome(result: PutOutcome): unknown {
  if (result.outcome === 'kept') return result.contact;
  const { field, explanation, other } = result.problem;
  throw new RpcError('invalid-params', `${explanation}${other === undefined ? '' : ` It is ${other}.`}`, field);
}

function noSuchContact(): never {
  throw new RpcError('no-such-contact', 'There is no such contact.', 'id');
}
