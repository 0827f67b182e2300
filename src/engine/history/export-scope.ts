import type { MessageStore } from '../store/index.ts';

export const historyFormat = { format: 'tessera-history', version: 1 } as const;

/** One account whose messages are exported. */
export interface ExportedAccount {
  readonly id: string;
  readonly identity: string;
  readonly messages: Pick<MessageStore, 'all' | 'conversations'>;
}

/** What an export takes. */
export interface ExportScope {
  readonly accounts: readonly ExportedAccount[];
  /** KMS user identity: of this conversation only. */
  readonly peer?: string;
  /** When it is made, milliseconds since 1970. */
  readonly at: number;
}

/** A file that was sent or came in, listed in an export and, where its copy is beside it, linked. */
export interface ExportedAttachment {
  readonly accountId: string;
  readonly peer: string;
  readonly direction: 'in' | 'out';
  readonly name: string;
  readonly type: string;
  readonly size?: number;
  readonly at: number;
  /** Path of its copy, relative to the export, its parts separated by `/`. */
  readonly copy?: string;
}
