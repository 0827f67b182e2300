import { equalBytes, toHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { readAuthEnveloped, type ContentEncryption } from '../../protocol/cms/index.ts';
import {
  receiveTransfer,
  sameIdentity,
  uriIdentity,
  type MikeyIdentity,
  type ReceivedTransfer,
} from '../../protocol/mikey/index.ts';
import { decodeMultipart, headerValue, parseMediaType, type MimeEntity } from '../../protocol/mime/index.ts';
import { profile } from '../../protocol/profile.ts';
import { decodeResourceLists, resourceListsContentType } from '../../protocol/resource-lists/index.ts';
import { kmsUserIdentity } from '../../protocol/sip/identities.ts';
import { keyIdentifierOf } from './key-identifier.ts';
import { checkProofOfOrigin } from './proof-of-origin.ts';

/** A protected message that passed every check that needs no key. Nothing in it is authentic yet. */
export interface ReceivedMessage {
  /** What the KMS is asked to resolve; also the material of the replay cache. */
  readonly transfer: ReceivedTransfer;
  /** To whom it may be addressed inside: to whom the key was handed and, where the ticket names us beside, to us. */
  readonly addressees: readonly MikeyIdentity[];
  /** Who else received it by the word of a list service (RFC 5365 recipient-list-history). */
  readonly history: readonly string[];
  /** By the sender's word, in clear: `imdn.Message-ID` where the sender is one of ours (see `sealMessage`). */
  readonly claimedId?: string;
  /** The decoded `application/pkcs7-mime` part. */
  readonly cms: Uint8Array;
  readonly keyIdentifier: Uint8Array;
  /** `keyIdentifier` in hexadecimal digits. */
  readonly keyId: string;
  readonly contentEncryption: ContentEncryption;
  /** Whether the TRANSFER_INIT is bound to exactly these octets (profile 5.4). */
  readonly isBoundToTransfer: boolean;
  /** Until when, in milliseconds since 1970, a second copy must be recognised (profile 5.5). */
  readonly rememberUntil: number;
}

const containers = ['multipart/mixed', 'multipart/related'];
const mikeyType = 'application/mikey';
const cmsType = 'application/pkcs7-mime';
/** RFC 8551 3.2.2 and the spelling of RFC 8591 4.2; without the parameter CMS itself says what it is. */
const smimeTypes = ['authenveloped-data', 'auth-enveloped-data', undefined];

/**
 * Reads a body as profile 5.2 writes it, with the variants a peer may choose: multipart/related, base64 parts, any order.
 * @param options.self every URI that may be addressed here
 * @param options.acceptEnded also what its ticket has outlived, which nobody can open any more
 * @throws ProtocolError whose SIP hint is the answer: 400 malformed, 415 other contents, 493 what can never be deciphered
 */
export function readProtectedMessage(
  contentType: string,
  body: Uint8Array,
  options: { readonly now: number; readonly self: readonly string[]; readonly acceptEnded?: boolean },
): ReceivedMessage {
  const mediaType = parseMediaType(contentType, 'sip.Content-Type');
  if (!containers.includes(mediaType.type)) throw otherContents('sip.Content-Type', 'multipart/mixed');
  const { mikey, cms, history, claimedId } = pickParts(decodeMultipart(mediaType, body));
  const self = options.self.map((uri) => uriIdentity(kmsUserIdentity(uri)));
  const transfer = withSipHint(() =>
    receiveTransfer(mikey, {
      now: options.now,
      self,
      acceptNamedByTicket: true,
      acceptEnded: options.acceptEnded ?? false,
      protTypes: [profile.mikey.protTypePskMime],
      checkFreshness: 'ticket',
    }),
  );
  // No answer can be sent to a stored message: a ticket that wants one has no key for us (profile 5.1).
  if (transfer.flags.F) throw undecipherable('mikey.TICKET.F', 'wants an answer', 'F=0');
  const { keyIdentifier, contentEncryption } = readAuthEnveloped(cms);
  requireSessionOf(transfer, keyIdentifier);
  return {
    transfer,
    addressees: [
      transfer.responder,
      ...self.filter((own) => transfer.responders.some((named) => sameIdentity(named, own))),
    ],
    history,
    ...(claimedId === undefined ? {} : { claimedId }),
    cms,
    keyIdentifier,
    keyId: toHex(keyIdentifier),
    contentEncryption: contentEncryption.name,
    isBoundToTransfer: checkProofOfOrigin(transfer.extensions, cms),
    rememberUntil: transfer.validUntil ?? transfer.timestamp + profile.replay.messageCacheSeconds * 1000,
  };
}

interface Parts {
  readonly mikey: Uint8Array;
  readonly cms: Uint8Array;
  readonly history: readonly string[];
  readonly claimedId?: string;
}

function pickParts(parts: readonly MimeEntity[]): Parts {
  const found = new Map<string, MimeEntity>();
  for (const [index, part] of parts.entries()) {
    const field = `mime.part[${index}].Content-Type`;
    const { type, parameters } = parseMediaType(headerValue(part.headers, 'Content-Type') ?? 'text/plain', field);
    const isCms = type === cmsType && smimeTypes.includes(parameters.get('smime-type')?.toLowerCase());
    const isKnown = type === mikeyType || isCms || type === resourceListsContentType;
    if (!isKnown || found.has(type)) {
      throw otherContents(field, `one ${mikeyType} and one ${cmsType} with authEnveloped-data`);
    }
    found.set(type, part);
  }
  const mikey = found.get(mikeyType);
  const cms = found.get(cmsType);
  if (mikey === undefined || cms === undefined) {
    throw otherContents('mime.multipart', `one ${mikeyType} and one ${cmsType} part`);
  }
  const list = found.get(resourceListsContentType);
  const claimedId = messageIdOf(headerValue(mikey.headers, 'Content-ID'));
  return {
    mikey: mikey.body,
    cms: cms.body,
    history: list === undefined ? [] : decodeResourceLists(list.body).map(({ uri }) => uri),
    ...(claimedId === undefined ? {} : { claimedId }),
  };
}

/** The part before the `@` of `<id@host>`. */
function messageIdOf(contentId: string | undefined): string | undefined {
  return /^<([^<>@\s]{1,128})@[^<>@\s]+>$/.exec(contentId ?? '')?.[1];
}

/** A transfer may leave the SPI to the ticket; CSB ID and CS ID it always names. */
function requireSessionOf(transfer: ReceivedTransfer, keyIdentifier: Uint8Array): void {
  const expected = keyIdentifierOf(transfer);
  const named = transfer.spi.length === 0 ? keyIdentifier.subarray(0, expected.length) : keyIdentifier;
  if (!equalBytes(named, expected)) {
    throw undecipherable('cms.kekid.keyIdentifier', 'names another key', 'the crypto session of the TRANSFER_INIT');
  }
}

/** MIKEY errors know no SIP answer of their own. */
function withSipHint<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.hint.sip !== undefined) throw error;
    throw new ProtocolError(error.kind, 'TRANSFER_INIT refused', {
      field: error.field,
      hint: { ...error.hint, sip: error.kind === 'malformed' ? 400 : 493 },
      cause: error,
      ...(error.offset === undefined ? {} : { offset: error.offset }),
      ...(error.expected === undefined ? {} : { expected: error.expected }),
    });
  }
}

function otherContents(field: string, expected: string): ProtocolError {
  return new ProtocolError('unsupported', 'other contents', { field, expected, hint: { sip: 415 } });
}

function undecipherable(field: string, problem: string, expected: string): ProtocolError {
  return new ProtocolError('peer-misbehaved', problem, { field, expected, hint: { sip: 493 } });
}
