import type { FilesConfig } from '../account-config.ts';
import type { ContactPolicies } from '../policy.ts';
import type { SessionContext } from '../sessions/session-context.ts';
import type { FileStorage } from './file-storage.ts';
import type { TransferRegistry } from './transfer-registry.ts';

/** What both directions of an account's files share. */
export interface FileParts {
  readonly context: SessionContext;
  readonly policies: ContactPolicies;
  /** KMS user identity of this account. */
  readonly self: string;
  /** Absent where this shell keeps no files: every file is then refused. */
  readonly storage: FileStorage | undefined;
  readonly config: FilesConfig;
  /** Whether the user knows this address: one for which a policy is set. */
  readonly isContact: (peer: string) => boolean;
  readonly registry: TransferRegistry;
  readonly isStopped: () => boolean;
  /** Does something later, unless the account has stopped by then. */
  readonly later: (milliseconds: number, action: () => void) => void;
}
