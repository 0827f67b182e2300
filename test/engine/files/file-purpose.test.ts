import { expect, it } from 'vitest';
import { receivePurpose, sendPurpose } from '../../../src/engine/files/file-purpose.ts';
import type { MessageSink } from '../../../src/engine/msrp/sink-writer.ts';

const lines = { selector: { size: 5, hashes: [] }, transferId: 'abc', range: undefined };
const sink: MessageSink = { write: () => undefined, finish: () => undefined, abort: () => undefined };

it('a stream for a file takes one message, and only from its sender', () => {
  const opened: boolean[] = [];
  const receiving = receivePurpose(lines, (isWrapped) => {
    opened.push(isWrapped);
    return sink;
  });
  const message = { messageId: 'm', contentType: 'message/CPIM; charset=utf-8', octets: 5 } as never;
  expect(receiving.channel.openSink?.(message)).toBe(sink);
  expect(receiving.channel.openSink?.(message)).toBe(413);
  expect(opened).toEqual([true]);
  expect(sendPurpose(lines).channel.openSink?.(message)).toBe(403);
});
