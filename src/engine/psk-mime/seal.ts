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
import { cpimText } from '../text-content.ts';
import { keyIdentifierOf } from './key-identifier.ts';
import { proofOfOrigin } from './proof-of-origin.ts';

export interface MessageToSeal {
  /** Grants keys for `recipient`; its flags are those of `messageTicketFlags`. */
  readonly ticket: GrantedTicket;
  /** URI of the sender and of the recipient, as in From and To. */
  readonly self: string;
  readonly recipient: string;
  readonly text: string;
  /** `imdn.Message-ID`. */
  readonly messageId: string;
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
  const { ticket, self, recipient, now, random } = message;
  const initiator = uriIdentity(kmsUserIdentity(self));
  const responder = uriIdentity(kmsUserIdentity(recipient));
  requireParty([ticket.initiator], initiator, 'initiator');
  requireParty(ticket.responders, responder, 'responder');
  const plaintext = cpimEntity(message);
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
    parts: [mikeyPart(transfer.message, `${message.messageId}@${host}`), cmsPart(cms)],
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
function cpimEntity({ self, recipient, now, messageId, text }: MessageToSeal): Uint8Array {
  const cpim = cpimText({ from: self, to: recipient, at: now, messageId, text });
  return encodeMimeEntity({ headers: [{ name: 'Content-Type', value: cpim.contentType }], body: cpim.body });
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
