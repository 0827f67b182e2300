import { z } from 'zod';
import { fileAbilities } from './files.ts';
import { contactView, presenceView } from './people.ts';
import { storageView } from './storage.ts';
import * as views from './views.ts';

/** Everything a screen needs to start. Events with a higher version continue from here. */
export const snapshot = z.object({
  version: z.number().int(),
  accounts: z.array(views.accountView).readonly(),
  files: fileAbilities,
  storage: storageView,
  /** By name. */
  contacts: z.array(contactView).readonly(),
  /** Of contacts that are watched. */
  presence: z.array(presenceView).readonly(),
  conversations: z.array(views.conversationView).readonly(),
});
export type Snapshot = z.infer<typeof snapshot>;
