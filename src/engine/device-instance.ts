import { fromUtf8, utf8 } from '../base/bytes.ts';
import { describeError } from '../base/errors.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { randomUuid } from '../base/uuid.ts';
import type { EnginePorts } from './ports.ts';

const pattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The UUID by which a network knows this device over all its restarts, so that a registration replaces the one before (RFC 5626
 * clause 4.1). One for each account: networks cannot tell by it that two accounts are of one person. Where it cannot be kept there is
 * one for each run. Never rejects.
 */
export async function deviceInstance(
  { secrets, random, log }: Pick<EnginePorts, 'secrets' | 'random' | 'log'>,
  account: string,
): Promise<string> {
  const name = `${account} sip-instance`;
  const made = randomUuid(random);
  if (secrets === undefined) return made;
  try {
    const kept = await secrets.get(name);
    const uuid = kept?.use((octets) => fromUtf8(octets));
    kept?.dispose();
    if (uuid !== undefined && pattern.test(uuid)) return uuid;
    const secret = new SecretBytes(utf8(made));
    await secrets.set(name, secret);
    secret.dispose();
  } catch (error) {
    log.log('warn', 'sip.instance-not-kept', { reason: describeError(error) });
  }
  return made;
}
