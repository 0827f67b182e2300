import { equalBytes } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { openAuthEnveloped, type ContentEncryption } from '../../protocol/cms/index.ts';
import { sameIdentity, uriIdentity, type MikeyIdentity, type ResolvedTransfer } from '../../protocol/mikey/index.ts';
import { decodeMimeEntity, headerValue } from '../../protocol/mime/index.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import { readMessageContent, type MessageContent } from '../message-content.ts';
import { keyIdentifierOf } from './key-identifier.ts';
import type { ReceivedMessage } from './receive.ts';

/** What only the holders of the ticket's key could have written. */
export interface OpenedMessage {
  readonly content: MessageContent;
  /** True when the KMS vouches that the ticket's initiator itself sent this very message (profile 5.4). */
  readonly originProven: boolean;
  /**
   * `verified`: From inside the message and, where the network gave one, P-Asserted-Identity name the ticket's initiator, and To
   * or cc the one to whom the key was handed, or us. `unverified`: one of them names somebody else or nobody.
   */
  readonly identity: 'verified' | 'unverified';
  readonly contentEncryption: ContentEncryption;
  /** `kekid.keyIdentifier` in hexadecimal digits. */
  readonly keyId: string;
}

/**
 * Decrypts a message whose ticket the KMS has resolved.
 * @param assertedIdentity URI of P-Asserted-Identity
 * @throws ProtocolError; for anything but broken text inside, with the SIP hint 493. Nothing of the text is released then.
 */
export function openMessage(
  received: ReceivedMessage,
  resolved: ResolvedTransfer,
  assertedIdentity?: string,
): OpenedMessage {
  const { transfer } = received;
  if (!sameIdentity(transfer.initiator, resolved.initiator)) {
    throw new ProtocolError('peer-misbehaved', 'is not the initiator that the KMS knows', {
      field: 'mikey.IDRi',
      hint: { sip: 493 },
    });
  }
  const expected = keyIdentifierOf({ csbId: transfer.csbId, csId: transfer.csId, spi: resolved.spi });
  const kek = resolved.sessionKey();
  try {
    const { plaintext, contentEncryption } = openAuthEnveloped(received.cms, (asked) =>
      equalBytes(asked, expected) ? kek : undefined,
    );
    const content = readContent(plaintext);
    return {
      content,
      originProven: resolved.originProven && received.isBoundToTransfer,
      identity: namesParties(content, received, assertedIdentity) ? 'verified' : 'unverified',
      contentEncryption,
      keyId: received.keyId,
    };
  } finally {
    kek.dispose();
  }
}

/** RFC 8551 3.2: what CMS carries is a MIME entity; profile 5.2: of type message/cpim. */
function readContent(plaintext: Uint8Array): MessageContent {
  const entity = decodeMimeEntity(plaintext, 'cms.content');
  return readMessageContent(headerValue(entity.headers, 'Content-Type') ?? 'text/plain', entity.body);
}

function namesParties(
  { from, to, cc }: MessageContent,
  { transfer, addressees }: ReceivedMessage,
  assertedIdentity: string | undefined,
): boolean {
  return (
    names(from, transfer.initiator) &&
    [...to, ...cc].some((uri) => addressees.some((one) => names(uri, one))) &&
    (assertedIdentity === undefined || names(assertedIdentity, transfer.initiator))
  );
}

function names(uri: string | undefined, party: MikeyIdentity): boolean {
  const canonical = uri === undefined ? undefined : tryKmsUserIdentity(uri);
  return canonical !== undefined && sameIdentity(uriIdentity(canonical), party);
}
