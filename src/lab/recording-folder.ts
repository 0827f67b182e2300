import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordedStream } from './wire-recorder.ts';

/**
 * Puts the record into files, one for each stream, so that it outlives the process: for tests that end it by force.
 * Names begin with the side of the record.
 */
export function recordingFolder(folder: string): (stream: RecordedStream, bytes: Uint8Array) => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const files = new Map<RecordedStream, string>();
  // Two processes one after the other write into the same folder.
  const run = `${Date.now()}-${process.pid}`;
  return (stream, bytes) => {
    const file = files.get(stream) ?? join(folder, `${stream.side}-${run}-${files.size}.octets`);
    files.set(stream, file);
    appendFileSync(file, bytes, { mode: 0o600 });
  };
}
