import type { LogFields, Logger } from '../../base/log.ts';
import type { Party } from './parties.ts';
import type { KeyRow } from './report.ts';

/** Hears from the log under which name each account came to its KMS key. The key itself is in no log. */
export class KeyNames implements Logger {
  /** B-TID by private identity. */
  readonly #bootstrapped = new Map<string, string>();

  log(_level: string, event: string, fields: LogFields = {}): void {
    const { subscriber, btid } = fields;
    if (event === 'bootstrapping.done' && typeof subscriber === 'string' && typeof btid === 'string') {
      this.#bootstrapped.set(subscriber, btid);
    }
  }

  of({ name: owner, account }: Party): KeyRow {
    const { kms, privateIdentity } = account.config;
    if (kms === undefined) return { owner, way: 'none', name: undefined };
    const { credential } = kms;
    const name = credential.mode === 'static-psk' ? credential.pskId : this.#bootstrapped.get(privateIdentity);
    return { owner, way: credential.mode, name };
  }
}
