import { secureRandom } from '../../../src/crypto/random.ts';
import type { OutgoingMessage, SipReply } from '../../../src/engine/sip/index.ts';
import { decodeMultipart, encodeMultipart, headerValue, parseMediaType } from '../../../src/protocol/mime/index.ts';
import type { MimeEntity } from '../../../src/protocol/mime/index.ts';
import {
  decodeResourceLists,
  encodeResourceLists,
  resourceListsContentType,
} from '../../../src/protocol/resource-lists/index.ts';

export const listService = 'sip:lists@lab.test';

/** What a list service makes of a request (RFC 5365): one for each recipient, the list taken out, its history put in. */
export function explode(
  message: OutgoingMessage,
  withHistory = true,
): readonly { readonly to: string; readonly message: OutgoingMessage }[] | undefined {
  if (message.headers?.['Require'] !== 'recipient-list-message') return undefined;
  const parts = decodeMultipart(parseMediaType(message.contentType), message.body);
  const list = parts.find(({ headers }) => headerValue(headers, 'Content-Type') === resourceListsContentType);
  if (list === undefined || headerValue(list.headers, 'Content-Disposition') !== 'recipient-list') return undefined;
  const recipients = decodeResourceLists(list.body);
  const rest = parts.filter((part) => part !== list);
  const history: MimeEntity = {
    headers: [
      { name: 'Content-Type', value: resourceListsContentType },
      { name: 'Content-Disposition', value: 'recipient-list-history; handling=optional' },
    ],
    body: encodeResourceLists(recipients),
  };
  const content =
    rest.length === 1 && !withHistory
      ? { contentType: headerValue(rest[0]!.headers, 'Content-Type') ?? '', body: rest[0]!.body }
      : encodeMultipart({
          subtype: 'mixed',
          parts: withHistory ? [...rest, history] : rest,
          random: secureRandom,
        });
  return recipients.map(({ uri }) => ({ to: uri, message: { to: uri, ...content } }));
}

/** RFC 5365 section 7.2: the request is taken, whatever becomes of its copies. */
export const listed: Pick<SipReply, 'status' | 'reason'> = { status: 202, reason: 'Accepted' };
