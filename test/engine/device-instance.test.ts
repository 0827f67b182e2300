import { describe, expect, it } from 'vitest';
import { fromUtf8, utf8 } from '../../src/base/bytes.ts';
import { silentLogger } from '../../src/base/log.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { deviceInstance } from '../../src/engine/device-instance.ts';
import type { SecretStore } from '../../src/engine/ports.ts';
import { seededRandom } from '../support/seeded-random.ts';

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function memoryStore(): SecretStore & { readonly kept: Map<string, string> } {
  const kept = new Map<string, string>();
  return {
    kept,
    get: (name) => Promise.resolve(kept.has(name) ? new SecretBytes(utf8(kept.get(name) ?? '')) : undefined),
    set: (name, secret) =>
      Promise.resolve(
        void kept.set(
          name,
          secret.use((octets) => fromUtf8(octets)),
        ),
      ),
    delete: (name) => Promise.resolve(void kept.delete(name)),
    list: () => Promise.resolve([...kept.keys()]),
    health: () => Promise.resolve({ usable: true }),
  };
}

const random = seededRandom();
const log = silentLogger;

describe('the UUID of this device', () => {
  it('is made once for an account and found again', async () => {
    const secrets = memoryStore();
    const first = await deviceInstance({ secrets, random, log }, 'alice');
    expect(first).toMatch(pattern);
    expect(await deviceInstance({ secrets, random, log }, 'alice')).toBe(first);
    expect(await deviceInstance({ secrets, random, log }, 'bob')).not.toBe(first);
  });

  it('replaces what is none', async () => {
    const secrets = memoryStore();
    secrets.kept.set('alice sip-instance', 'not a uuid"\r\n');
    const made = await deviceInstance({ secrets, random, log }, 'alice');
    expect(made).toMatch(pattern);
    expect(secrets.kept.get('alice sip-instance')).toBe(made);
  });

  it('is one for each run where it cannot be kept', async () => {
    const broken = (): Promise<never> => Promise.reject(new Error('locked'));
    const secrets: SecretStore = { ...memoryStore(), get: broken };
    expect(await deviceInstance({ secrets, random, log }, 'alice')).toMatch(pattern);
    expect(await deviceInstance({ random, log }, 'alice')).toMatch(pattern);
  });
});
