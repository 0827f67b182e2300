import { policies, type Policy } from '../../base/protection-level.ts';
import type { Note } from '../store/index.ts';
import { checkDraft, type Contact, type ContactDraft, type ContactPhoto, type ContactReceipts } from './contact.ts';

type Fields = Readonly<Record<string, Note | undefined>>;

/** A contact as it was kept; undefined for what cannot be one. */
export function readKeptContact(id: string, note: Note): Contact | undefined {
  const fields = fieldsOf(note);
  const draft = fields && readDraft(fields);
  if (fields === undefined || draft === undefined) return undefined;
  const result = checkDraft(draft);
  if ('problem' in result) return undefined;
  const { createdAt, changedAt } = fields;
  return { ...result.checked, id, createdAt: timeOf(createdAt), changedAt: timeOf(changedAt) };
}

function readDraft(fields: Fields): ContactDraft | undefined {
  const { name, addresses } = fields;
  if (typeof name !== 'string' || !Array.isArray(addresses)) return undefined;
  const known = addresses.filter((address) => typeof address === 'string');
  const texts = Object.fromEntries(
    ['organisation', 'note', 'uid'].flatMap((key) => (typeof fields[key] === 'string' ? [[key, fields[key]]] : [])),
  );
  const photo = photoOf(fields['photo']);
  const policy = policyOf(fields['policy']);
  const accountPolicies = Object.entries(fieldsOf(fields['accountPolicies']) ?? {}).flatMap(([account, value]) => {
    const own = policyOf(value);
    return own === undefined ? [] : [[account, own] as const];
  });
  return {
    name,
    addresses: known,
    ...texts,
    ...(photo === undefined ? {} : { photo }),
    ...(policy === undefined ? {} : { policy }),
    accountPolicies: Object.fromEntries(accountPolicies),
    receipts: receiptsOf(fieldsOf(fields['receipts']) ?? {}),
  };
}

function photoOf(note: Note | undefined): ContactPhoto | undefined {
  const { contentType, base64 } = fieldsOf(note) ?? {};
  if (contentType !== 'image/png' && contentType !== 'image/jpeg' && contentType !== 'image/webp') return undefined;
  return typeof base64 === 'string' ? { contentType, base64 } : undefined;
}

function receiptsOf({ delivery, display }: Fields): ContactReceipts {
  return {
    ...(typeof delivery === 'boolean' ? { delivery } : {}),
    ...(typeof display === 'boolean' ? { display } : {}),
  };
}

function policyOf(note: Note | undefined): Policy | undefined {
  return policies.find((policy) => policy === note);
}

function fieldsOf(note: Note | undefined): Fields | undefined {
  return typeof note === 'object' && note !== null && !Array.isArray(note) ? (note as Fields) : undefined;
}

function timeOf(note: Note | undefined): number {
  return typeof note === 'number' && Number.isFinite(note) ? note : 0;
}
