import { z } from 'zod';
import type { Account } from '../engine/account.ts';
import { checkParams, RpcError } from './json-rpc.ts';

const id = z.strictObject({ id: z.string() });
const peer = z.string().trim().min(1).max(1000);
const limit = z.int().min(1).max(200).default(50);

/** Params of what was said and of what is still owed, by method. */
export const outboxParams = {
  'history.page': z.strictObject({ peer, limit, before: z.string().optional() }),
  'history.search': z.strictObject({
    text: z.string().min(1).max(1000),
    peer: peer.optional(),
    limit,
    after: z.string().optional(),
  }),
  'outbox.list': z.strictObject({}),
  'outbox.retry': id,
  'outbox.cancel': id,
} as const;
export type OutboxMethod = keyof typeof outboxParams;

export function isOutboxMethod(method: string): method is OutboxMethod {
  return Object.hasOwn(outboxParams, method);
}

export async function runOutboxMethod(
  { history, outbox }: Pick<Account, 'history' | 'outbox'>,
  method: OutboxMethod,
  given: unknown,
): Promise<unknown> {
  switch (method) {
    case 'history.page': {
      const params = checkParams(outboxParams[method], given);
      return history.page(params.peer, params.limit, params.before);
    }
    case 'history.search': {
      const { text, limit: count, peer: of, after } = checkParams(outboxParams[method], given);
      const { hits, next } = history.search({
        text,
        limit: count,
        ...(of === undefined ? {} : { peer: of }),
        ...(after === undefined ? {} : { after }),
      });
      return {
        hits: hits.map(({ message, matches }) => ({ message, matches })),
        ...(next === undefined ? {} : { next }),
      };
    }
    case 'outbox.list':
      checkParams(outboxParams[method], given);
      return { entries: outbox.list() };
    case 'outbox.retry': {
      const message = await outbox.retry(checkParams(outboxParams[method], given).id);
      if (message === undefined) throw new RpcError('no-such-message', 'Nothing of this id is to be sent.', 'id');
      return { message };
    }
    case 'outbox.cancel': {
      if (!outbox.cancel(checkParams(outboxParams[method], given).id)) {
        throw new RpcError('no-such-message', 'No message of this id waits.', 'id');
      }
      return {};
    }
  }
}
