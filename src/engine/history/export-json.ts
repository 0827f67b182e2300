import { historyFormat, type ExportedAttachment, type ExportScope } from './export-scope.ts';

/**
 * Everything that is known of the messages, with their evidence, as one JSON document that is made piece by piece:
 * `{"format":"tessera-history","version":1,...,"messages":[{"account":...,"message":{...}}, ...]}`, a message a line.
 */
export function* exportJson(scope: ExportScope, attachments: readonly ExportedAttachment[] = []): Generator<string> {
  const { accounts, peer, at } = scope;
  const header = {
    ...historyFormat,
    exportedAt: at,
    accounts: accounts.map(({ id, identity }) => ({ id, identity })),
    ...(peer === undefined ? {} : { peer }),
    attachments,
  };
  yield `${JSON.stringify(header).slice(0, -1)},"messages":[`;
  let isFirst = true;
  for (const { id, messages } of accounts) {
    for (const message of messages.all(peer)) {
      yield `${isFirst ? '' : ','}\n${JSON.stringify({ account: id, message })}`;
      isFirst = false;
    }
  }
  yield '\n]}\n';
}
