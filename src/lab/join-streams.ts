import type { Duplex } from 'node:stream';
import type { RecordedStream } from './wire-recorder.ts';

/**
 * Forwards bytes both ways, recorded if asked; a side that does not take them slows the other side down.
 * When one side goes, what it sent still goes out; `done` is called once, when both are closed.
 */
export function joinStreams(
  first: Duplex,
  second: Duplex,
  records?: { readonly fromFirst: RecordedStream; readonly fromSecond: RecordedStream },
  done: () => void = () => undefined,
): void {
  forward(first, second, records?.fromFirst);
  forward(second, first, records?.fromSecond);
  let open = 2;
  const watch = (stream: Duplex, other: Duplex): void => {
    const closed = (): void => {
      other.end(() => other.destroy());
      if (--open === 0) done();
    };
    if (stream.closed) closed();
    else stream.once('close', closed);
  };
  watch(first, second);
  watch(second, first);
}

function forward(from: Duplex, to: Duplex, record: RecordedStream | undefined): void {
  from.on('data', (bytes: Buffer) => {
    record?.record(bytes);
    if (to.writable && !to.write(bytes)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.on('end', () => to.end());
  // An error is followed by close, which ends the other side.
  from.on('error', () => undefined);
}
