import { utf8 } from '../../../src/base/bytes.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { keyIdentifierOf } from '../../../src/engine/psk-mime/key-identifier.ts';
import { proofOfOrigin } from '../../../src/engine/psk-mime/proof-of-origin.ts';
import { cpimText } from '../../../src/engine/text-content.ts';
import { sealAuthEnveloped } from '../../../src/protocol/cms/index.ts';
import {
  bytesIdentity,
  createTicketRequest,
  createTransfer,
  messageTicketFlags,
  uriIdentity,
  type TicketFlags,
} from '../../../src/protocol/mikey/index.ts';
import { encodeMimeEntity } from '../../../src/protocol/mime-entity.ts';
import { encodeMultipart, type MimeEntity } from '../../../src/protocol/mime/index.ts';
import { profile } from '../../../src/protocol/profile.ts';
import type { World } from './world.ts';

export interface ForeignMessage {
  /** Who has the ticket, and under whose name the message goes. */
  readonly holder: string;
  readonly name: string;
  readonly to: string;
  readonly text: string;
  readonly messageId?: string;
  readonly flags?: Partial<TicketFlags>;
  readonly withProof?: boolean;
}

const kmsOf = (world: World, user: string) => ({
  psk: world.kms.pskOf(user),
  pskId: bytesIdentity(utf8(user)),
  kms: uriIdentity(world.kms.identity),
});

/** A protected message as another implementation, or an attacker with a key of their own at the KMS, would make it. */
export async function foreignMessage(
  world: World,
  { holder, name, to, text, messageId = 'm1', flags = {}, withProof = true }: ForeignMessage,
): Promise<{ to: string; contentType: string; body: Uint8Array }> {
  const now = world.clock.now();
  const request = createTicketRequest({
    suite: '256',
    ...kmsOf(world, holder),
    initiator: uriIdentity(holder),
    responders: [uriIdentity(to)],
    flags: { ...messageTicketFlags, ...flags },
    keyKind: 'GTGK',
    validFrom: now - 300_000,
    validUntil: now + 7 * 24 * 3_600_000,
    now,
    random: secureRandom,
  });
  const { message: granted } = await world.kms.exchange('ticketrequest', undefined, request.message);
  const cpim = cpimText({ from: name, to, at: now, messageId, text });
  const plaintext = encodeMimeEntity({
    headers: [{ name: 'Content-Type', value: cpim.contentType }],
    body: cpim.body,
  });
  let cms: Uint8Array = new Uint8Array();
  const transfer = createTransfer({
    ticket: request.accept(granted ?? new Uint8Array(), now),
    initiator: uriIdentity(name),
    responder: uriIdentity(to),
    protType: profile.mikey.protTypePskMime,
    csId: 1,
    extensions: (session) => {
      const kek = session.sessionKey();
      cms = sealAuthEnveloped({ kek, keyIdentifier: keyIdentifierOf(session), plaintext, random: secureRandom });
      return withProof ? [proofOfOrigin(cms)] : [];
    },
    now,
    random: secureRandom,
  });
  return { to, ...multipart(transfer.message, cms) };
}

/** The two parts of profile 5.2 around any octets. */
export function multipart(transfer: Uint8Array, cms: Uint8Array): { contentType: string; body: Uint8Array } {
  const part = (type: string, body: Uint8Array): MimeEntity => ({
    headers: [{ name: 'Content-Type', value: type }],
    body,
  });
  return encodeMultipart({
    subtype: 'mixed',
    parts: [
      part('application/mikey', transfer),
      part('application/pkcs7-mime;smime-type=authEnveloped-data;name=smime.p7m', cms),
    ],
    random: secureRandom,
  });
}
