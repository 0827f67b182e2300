import type { Random } from '../../base/random.ts';
import { encodeMultipart, type MimeEntity } from '../../protocol/mime/index.ts';
import { encodeResourceLists, resourceListsContentType } from '../../protocol/resource-lists/index.ts';
import type { TextContent } from '../text-content.ts';

/** RFC 5365 section 4: a server that does not serve lists must refuse the request, and not pass it on as any other. */
export const listRequestHeaders = { Require: 'recipient-list-message' } as const;

/** RFC 5365 section 4, RFC 5364: each may see all others. */
export function recipientListPart(recipients: readonly string[]): MimeEntity {
  return {
    headers: [
      { name: 'Content-Type', value: resourceListsContentType },
      { name: 'Content-Disposition', value: 'recipient-list' },
    ],
    body: encodeResourceLists(recipients.map((uri) => ({ uri, copyControl: 'to' }))),
  };
}

/** A content that is not sealed, with the list beside it. */
export function withRecipientList(
  { contentType, body }: TextContent,
  recipients: readonly string[],
  random: Random,
): TextContent {
  const content: MimeEntity = {
    headers: [
      { name: 'Content-Type', value: contentType },
      { name: 'Content-Disposition', value: 'render' },
    ],
    body,
  };
  return encodeMultipart({ subtype: 'mixed', parts: [content, recipientListPart(recipients)], random });
}
