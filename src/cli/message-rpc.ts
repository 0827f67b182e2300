import { z } from 'zod';
import { policies } from '../base/protection-level.ts';
import type { Account } from '../engine/account.ts';
import { checkParams, RpcError } from './json-rpc.ts';

const id = z.string();
const address = z.string().trim().min(1).max(1000);
const choice = z.boolean().optional();

/** What is told of messages, and what is asked to be told (RFC 5438). */
export const receiptsSchema = z.strictObject({
  delivery: choice,
  display: choice,
  askDelivery: choice,
  askDisplay: choice,
  askProcessing: choice,
  sayForbidden: choice,
});

/** Messages to groups, receipts and resends over docs/ue-rpc.md. */
export const messageParams = {
  'message.group': z.strictObject({
    recipients: z.array(address).min(1).max(200),
    text: z.string().min(1),
    policy: z.enum(policies).optional(),
    consent: choice,
  }),
  'message.askResend': z.strictObject({ id }),
  'message.displayed': z.strictObject({ id }),
  'receipts.set': z.strictObject({ contact: address, receipts: receiptsSchema.nullable() }),
} as const;
type MessageMethod = keyof typeof messageParams;

export type MessageAccount = Pick<
  Account,
  'sendToGroup' | 'askResend' | 'history' | 'markDisplayed' | 'setContactReceipts'
>;

export function isMessageMethod(method: string): method is MessageMethod {
  return Object.hasOwn(messageParams, method);
}

export async function runMessageMethod(
  account: MessageAccount,
  method: MessageMethod,
  given: unknown,
): Promise<unknown> {
  switch (method) {
    case 'message.group': {
      const { recipients, text, policy, consent } = checkParams(messageParams[method], given);
      const outcome = await account.sendToGroup({
        recipients,
        text,
        ...(policy === undefined ? {} : { policy }),
        ...(consent === undefined ? {} : { consent }),
      });
      if (outcome.outcome === 'refused' || outcome.outcome === 'offered') return outcome;
      return { outcome: outcome.outcome, level: outcome.message.level, message: outcome.message };
    }
    case 'message.askResend':
      return { outcome: account.askResend(checkParams(messageParams[method], given).id) };
    case 'message.displayed': {
      const message = account.history.get(checkParams(messageParams[method], given).id);
      if (message?.direction !== 'in') throw new RpcError('no-such-message', 'There is no such message.', 'id');
      account.markDisplayed(message.conversation, message.id);
      return {};
    }
    case 'receipts.set': {
      const { contact, receipts } = checkParams(messageParams[method], given);
      account.setContactReceipts(contact, receipts === null ? undefined : withoutUndefined(receipts));
      return {};
    }
  }
}

type Given<Settings> = { [Name in keyof Settings]?: Exclude<Settings[Name], undefined> };

function withoutUndefined<Settings extends object>(settings: Settings): Given<Settings> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as Given<Settings>;
}
