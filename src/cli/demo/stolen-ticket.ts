import type { EnginePorts } from '../../engine/ports.ts';
import { SoftwareSim } from '../../engine/sim/index.ts';
import { createKmsCredential } from '../../engine/tickets/kms-credential.ts';
import { resolveTicket } from '../../engine/tickets/kms-questions.ts';
import { receiveTransfer, uriIdentity } from '../../protocol/mikey/index.ts';
import { decodeMultipart, headerValue, parseMediaType } from '../../protocol/mime/index.ts';
import { profile } from '../../protocol/profile.ts';
import type { Lab } from '../../lab/lab.ts';
import type { LabCredentialMode } from '../../lab/ue-config.ts';
import { accountFromUeConfig, checkUeConfig } from '../ue-config.ts';

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
  { lab, ports, kms: mode }: { readonly lab: Lab; readonly ports: EnginePorts; readonly kms: LabCredentialMode },
  message: { readonly contentType: string; readonly body: Uint8Array },
  { thief, victim }: { readonly thief: string; readonly victim: string },
): Promise<readonly ResolveAttempt[]> {
  const { config: own, secrets } = accountFromUeConfig(checkUeConfig(lab.ueConfig(thief, { kms: mode })));
  const victimIdentity = uriIdentity(lab.ueConfig(victim).identity);
  const { kms, privateIdentity, domain } = own;
  const sim = secrets.sim && new SoftwareSim({ keys: secrets.sim, state: ports.simState });
  const credential = kms && createKmsCredential(kms, secrets, { ports, privateIdentity, domain, sim });
  if (kms === undefined || credential === undefined) throw new Error('the thief has no KMS key');
  const transferInit = decodeMultipart(parseMediaType(message.contentType), message.body).find(
    (part) => headerValue(part.headers, 'Content-Type') === 'application/mikey',
  );
  if (transferInit === undefined) throw new Error('no TRANSFER_INIT was found in the stolen message');
  const now = ports.clock.now();
  const received = receiveTransfer(transferInit.body, {
    now,
    self: [victimIdentity],
    protTypes: [profile.mikey.protTypePskMime],
    checkFreshness: 'ticket',
  });
  const key = await credential.current(now);
  const attempts: ResolveAttempt[] = [];
  for (const [how, self] of [
    [`as ${thief}`, uriIdentity(own.identity)],
    [`as ${victim} with ${thief}'s key`, victimIdentity],
  ] as const) {
    const resolve = resolveTicket(key, received, {
      self,
      kms: uriIdentity(kms.identity),
      now,
      random: ports.random,
    });
    const reply = await ports.keyManagement.exchange('ticketresolve', kms.address, resolve.message);
    attempts.push({ how, status: reply.status });
  }
  credential.dispose();
  return attempts;
}
