import { fromHex, utf8 } from '../../base/bytes.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { secureRandom } from '../../crypto/random.ts';
import { createHttpsKeyManagement } from '../../node/key-management.ts';
import { systemClock } from '../../node/system-clock.ts';
import { bytesIdentity, receiveTransfer, uriIdentity } from '../../protocol/mikey/index.ts';
import { decodeMultipart, headerValue, parseMediaType } from '../../protocol/mime/index.ts';
import { profile } from '../../protocol/profile.ts';
import type { Lab } from '../../lab/lab.ts';

export interface ResolveAttempt {
  readonly how: string;
  /** HTTP status of the KMS's answer. */
  readonly status: number;
}

/**
 * What a subscriber with a KMS key of his own can do with somebody else's TRANSFER_INIT: ask the KMS under his own name,
 * or under the victim's name with his own key.
 */
export async function resolveStolenTicket(
  lab: Lab,
  message: { readonly contentType: string; readonly body: Uint8Array },
  { thief, victim }: { readonly thief: string; readonly victim: string },
): Promise<readonly ResolveAttempt[]> {
  const own = lab.ueConfig(thief);
  const victimIdentity = uriIdentity(lab.ueConfig(victim).identity);
  const { kms } = own;
  if (kms === undefined) throw new Error('the thief has no KMS key');
  const transferInit = decodeMultipart(parseMediaType(message.contentType), message.body).find(
    (part) => headerValue(part.headers, 'Content-Type') === 'application/mikey',
  );
  if (transferInit === undefined) throw new Error('no TRANSFER_INIT was found in the stolen message');
  const now = systemClock.now();
  const received = receiveTransfer(transferInit.body, {
    now,
    self: [victimIdentity],
    protTypes: [profile.mikey.protTypePskMime],
    checkFreshness: 'ticket',
  });
  const keyManagement = createHttpsKeyManagement();
  const attempts: ResolveAttempt[] = [];
  for (const [how, self] of [
    [`as ${thief}`, uriIdentity(own.identity)],
    [`as ${victim} with ${thief}'s key`, victimIdentity],
  ] as const) {
    const resolve = received.createResolve({
      psk: new SecretBytes(fromHex(kms.psk)),
      pskId: bytesIdentity(utf8(kms.pskId)),
      self,
      kms: uriIdentity(kms.identity),
      now,
      random: secureRandom,
    });
    const address = { url: kms.url, bodyEncoding: profile.kms.bodyEncoding, trustedCa: lab.caPem };
    const reply = await keyManagement.exchange('ticketresolve', address, resolve.message);
    attempts.push({ how, status: reply.status });
  }
  return attempts;
}
