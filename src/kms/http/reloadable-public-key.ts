import { describeError, ProtocolError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { KmsPublicKeyConfig } from '../config.ts';

/** What makes a KMS take public-key questions, as it is now. */
export interface ReloadablePublicKey {
  /** Always the same object; each question finds in it what was read last. */
  readonly publicKey: KmsPublicKeyConfig;
  /** Reads all of it again. Does not throw: what is wrong is logged as `kms.public-key-refused`, and the old stays. */
  reload(): Promise<'loaded' | 'refused'>;
}

/**
 * @param first what was read at the start.
 * @param read reads it anew; undefined when the configuration has none any more, which only a restart can follow.
 */
export function reloadablePublicKey(
  first: KmsPublicKeyConfig,
  read: () => Promise<KmsPublicKeyConfig | undefined>,
  log: Logger,
): ReloadablePublicKey {
  let current = first;
  return {
    publicKey: {
      get keys() {
        return current.keys;
      },
      get anchors() {
        return current.anchors;
      },
      get domains() {
        return current.domains;
      },
    },
    async reload() {
      try {
        const next = await read();
        if (next === undefined) {
          throw new ProtocolError('local', 'gone', { field: 'kms.config.publicKey', expected: 'a restart without it' });
        }
        current = next;
        const certificates = next.keys.map(({ certificate }) => certificate.fingerprint);
        log.log('info', 'kms.public-key-loaded', { certificates: certificates.join(' '), anchors: next.anchors.size });
        return 'loaded';
      } catch (error) {
        log.log('error', 'kms.public-key-refused', { reason: describeError(error) });
        return 'refused';
      }
    },
  };
}
