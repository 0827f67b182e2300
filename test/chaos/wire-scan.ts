import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { occurrences } from '../../src/lab/wire-recorder.ts';

export interface ScanResult {
  /** Names of the files in which the mark stands, in clear or in base64. */
  readonly files: readonly string[];
  readonly octets: number;
}

/** Looks for a mark in everything that the network recorded. */
export async function scanRecord(folder: string, mark: string): Promise<ScanResult> {
  const files: string[] = [];
  let octets = 0;
  for (const name of await readdir(folder)) {
    const content = await readFile(join(folder, name));
    octets += content.length;
    if (occurrences(content, mark) > 0) files.push(name);
  }
  return { files, octets };
}
