import type { People } from '../../engine/people.ts';
import type { Store } from '../../engine/store/index.ts';

/** What the accounts of the screens share. An `Engine` is one. */
export interface HostProfile {
  readonly store: Store;
  readonly people: Pick<People, 'contacts' | 'trust' | 'presence'>;
  acceptServerCertificate(accountId: string, sha256: string): Promise<void>;
}
