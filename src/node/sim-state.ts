import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ProtocolError } from '../base/errors.ts';
import { checkSequenceWindow } from '../protocol/gba/index.ts';
import type { SimStateStore } from '../engine/ports.ts';

/**
 * The sequence numbers of software SIMs, one small file each, in a directory that only the owner reads. Written whole or not at all,
 * and never lower than what is there.
 */
export function createSimStateFiles(directory: string): SimStateStore {
  const fileOf = (name: string): string => {
    if (!/^[0-9a-f]{8,64}$/.test(name)) throw new RangeError('not the name of a SIM');
    return join(directory, `sim-${name}.json`);
  };
  const load = (name: string): readonly number[] | undefined => {
    const text = readIfThere(fileOf(name));
    return text === undefined ? undefined : readWindow(text);
  };
  return {
    load,
    save(name, window) {
      const kept = load(name);
      // Another process of this user may have used the same SIM since we looked.
      const highest = window.map((seq, index) => Math.max(seq, kept?.[index] ?? 0));
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      writeWhole(directory, fileOf(name), `${JSON.stringify({ version: 1, window: highest })}\n`);
    },
  };
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A damaged file is not taken for a new SIM: that would let old challenges pass. */
function readWindow(text: string): readonly number[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ProtocolError('malformed', 'not JSON', { field: 'sim.state', cause });
  }
  if (typeof value !== 'object' || value === null || !('version' in value) || value.version !== 1) {
    throw new ProtocolError('malformed', 'unknown format', { field: 'sim.state', expected: 'version 1' });
  }
  return checkSequenceWindow('window' in value ? value.window : undefined);
}

function writeWhole(directory: string, file: string, text: string): void {
  const draft = `${file}.${process.pid}.new`;
  const descriptor = openSync(draft, 'w', 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, file);
  syncDirectory(directory);
}

/** Makes the new name durable; Windows knows no such call for a directory, and needs none. */
function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
