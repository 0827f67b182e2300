import { toHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { readAuthEnveloped, sealAuthEnveloped, type ContentEncryption } from '../../protocol/cms/index.ts';
import {
  createTransfer,
  identityText,
  sameIdentity,
  uriIdentity,
  type GrantedTicket,
  type MikeyIdentity,
} from '../../protocol/mikey/index.ts';
import { encodeMultipart, formatMediaType, type MimeEntity } from '../../protocol/mime/index.ts';
import { encodeMimeEntity } from '../../protocol/mime-entity.ts';
import { profile } from '../../protocol/profile.ts';
import { kmsUserIdentity } from '../../protocol/sip/identities.ts';
import type { TextContent } from '../text-content.ts';
import { keyIdentifierOf } from './key-identifier.ts';
import { proofOfOrigin } from './proof-of-origin.ts';

export interface MessageToSeal {
  /** Grants keys for all who shall read it; its flags are those of `messageTicketFlags`. */
  readonly ticket: GrantedTicket;
  /** URI of the sender and of the recipient, as in From and To. */
  readonly self: string;
  readonly recipient: string;
  /** Of a message to several: who they are; `recipient` is the list then (profile 5.1). */
  readonly audience?: readonly string[];
  /** What only they can read: `message/cpim` (profile 5.2). */
  readonly content: TextContent;
  /** `imdn.Message-ID`; stands in clear as Content-ID too, by which a message that cannot be read can be asked for again. */
  readonly messageId: string;
  /** Parts that go beside it in clear, for example the recipients for a list service. */
  readonly otherParts?: readonly MimeEntity[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly random: Random;
}

/** The body of a SIP MESSAGE that only the recipient can read. */
export interface SealedMessage {
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly csbId: number;
  readonly csId: number;
  /** `kekid.keyIdentifier` in hexadecimal digits. */
  readonly keyId: string;
  readonly contentEncryption: ContentEncryption;
}

/**
 * Protects a text end to end (profile 5.2 to 5.4): CPIM inside CMS under a key of this message alone, beside the
 * TRANSFER_INIT that lets the recipient derive that key and that proves who sent exactly this CMS object.
 * @throws ProtocolError `local` when the ticket does not fit sender, recipient or one-way messages
 */
export function sealMessage(message: MessageToSeal): SealedMessage {
  const { ticket, self, recipient, audience = [recipient], otherParts = [], now, random } = message;
  const initiator = uriIdentity(kmsUserIdentity(self));
  const responder = uriIdentity(kmsUserIdentity(recipient));
  requireParty([ticket.initiator], initiator, 'initiator');
  for (const reader of audience) requireParty(ticket.responders, uriIdentity(kmsUserIdentity(reader)), 'responder');
  const plaintext = entityOf(message.content);
  let cms: Uint8Array = new Uint8Array();
  const transfer = createTransfer({
    ticket,
    initiator,
    responder,
    protType: profile.mikey.protTypePskMime,
    csId: profile.mikey.crypto.csId,
    extensions: (session) => {
      const kek = session.sessionKey();
      cms = sealAuthEnveloped({ kek, keyIdentifier: keyIdentifierOf(session), plaintext, random });
      kek.dispose();
      return [proofOfOrigin(cms)];
    },
    now,
    random,
  });
  const host = kmsUserIdentity(self).split('@')[1] ?? 'invalid';
  const { contentType, body } = encodeMultipart({
    subtype: 'mixed',
    parts: [mikeyPart(transfer.message, `${message.messageId}@${host}`), cmsPart(cms), ...otherParts],
    random,
  });
  return {
    contentType,
    body,
    csbId: transfer.csbId,
    csId: transfer.csId,
    keyId: toHex(keyIdentifierOf(transfer)),
    contentEncryption: readAuthEnveloped(cms).contentEncryption.name,
  };
}

/** A key that the KMS granted for somebody else must not protect this message. */
function requireParty(named: readonly MikeyIdentity[], party: MikeyIdentity, role: string): void {
  if (named.some((identity) => sameIdentity(identity, party))) return;
  throw new ProtocolError('local', 'not named by the ticket', {
    field: `ticket.${role}`,
    expected: identityText(party),
  });
}

/** RFC 8551 3.2: what CMS carries is a MIME entity with its header. */
function entityOf({ contentType, body }: TextContent): Uint8Array {
  return encodeMimeEntity({ headers: [{ name: 'Content-Type', value: contentType }], body });
}

function mikeyPart(body: Uint8Array, contentId: string): MimeEntity {
  return {
    headers: [
      { name: 'Content-Type', value: 'application/mikey' },
      { name: 'Content-Transfer-Encoding', value: 'binary' },
      { name: 'Content-ID', value: `<${contentId}>` },
      { name: 'Content-Disposition', value: 'attachment;handling=required' },
    ],
    body,
  };
}

function cmsPart(body: Uint8Array): MimeEntity {
  const parameters = { 'smime-type': 'authEnveloped-data', name: 'smime.p7m' };
  return {
    headers: [
      { name: 'Content-Type', value: formatMediaType('application/pkcs7-mime', parameters) },
      { name: 'Content-Transfer-Encoding', value: 'binary' },
      { name: 'Content-Disposition', value: 'attachment;handling=required;filename=smime.p7m' },
    ],
    body,
  };
}
