import { z } from 'zod';
import { presenceStates, type AccountPresence } from '../engine/presence/index.ts';
import { checkParams, RpcError } from './json-rpc.ts';

const address = z.string().trim().min(1).max(1000);

/** Presence over docs/ue-rpc.md. */
export const presenceParams = {
  'presence.list': z.strictObject({}),
  'presence.watch': z.strictObject({ address }),
  'presence.unwatch': z.strictObject({ address }),
  'presence.set': z.strictObject({
    watches: z.boolean().optional(),
    publishes: z.boolean().optional(),
    state: z.enum(presenceStates).optional(),
    note: z.string().max(1000).optional(),
  }),
} as const;
export type PresenceMethod = keyof typeof presenceParams;

export function isPresenceMethod(method: string): method is PresenceMethod {
  return Object.hasOwn(presenceParams, method);
}

export function runPresenceMethod(presence: AccountPresence, method: PresenceMethod, given: unknown): unknown {
  switch (method) {
    case 'presence.list':
      checkParams(presenceParams[method], given);
      return { own: presence.own(), contacts: presence.views() };
    case 'presence.watch': {
      const outcome = presence.watch(checkParams(presenceParams[method], given).address);
      if (outcome === 'watched') return {};
      const why = outcome === 'too-many' ? 'No more contacts can be watched.' : 'This is no address.';
      throw new RpcError('invalid-params', why, 'address');
    }
    case 'presence.unwatch': {
      const { address: peer } = checkParams(presenceParams[method], given);
      if (!presence.unwatch(peer)) throw new RpcError('no-such-contact', 'This address is not watched.', 'address');
      return {};
    }
    case 'presence.set': {
      const asked = checkParams(presenceParams[method], given);
      const change = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
      return presence.configure(change);
    }
  }
}
