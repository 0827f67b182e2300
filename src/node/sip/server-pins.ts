import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { fromUtf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { ServerPins } from '../../engine/ports.ts';
import { replaceFile } from '../whole-file.ts';
import { sipConnectionLimits as limits } from './limits.ts';

const pinFormat = /^(?:authority|[0-9A-F]{2}(?::[0-9A-F]{2}){31})$/;
const pinFile = z.strictObject({ version: z.literal(1), pins: z.record(z.string(), z.string().regex(pinFormat)) });

/**
 * Remembered certificates of servers in one file, readable by its owner only and written whole. A file that cannot be understood is not
 * taken for an empty one, which would trust whatever comes next: it is left as it is, and every question fails.
 */
export function createServerPinFile(file: string): ServerPins {
  let turn: Promise<unknown> = Promise.resolve();
  return {
    get: async (serverName) => (await readPins(file)).get(serverName.toLowerCase()),
    set(serverName, pin) {
      const written = turn.then(async () => {
        if (!pinFormat.test(pin)) throw wrong('not a fingerprint', 'SHA-256 in pairs');
        const pins = new Map(await readPins(file)).set(serverName.toLowerCase(), pin);
        if (pins.size > limits.pinnedServers) throw wrong('too many servers', `at most ${limits.pinnedServers}`);
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        const content = { version: 1, pins: Object.fromEntries(pins) };
        await replaceFile(file, `${JSON.stringify(content, undefined, 2)}\n`);
      });
      turn = written.catch(() => undefined);
      return written;
    },
  };
}

async function readPins(file: string): Promise<ReadonlyMap<string, string>> {
  const text = await readText(file);
  if (text === undefined) return new Map();
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw wrong('not JSON', 'a file of remembered servers');
  }
  const checked = pinFile.safeParse(content);
  if (!checked.success) throw wrong('not understood', 'remembered servers, version 1');
  return new Map(Object.entries(checked.data.pins));
}

async function readText(file: string): Promise<string | undefined> {
  let handle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = await handle.stat();
    if (size > limits.pinFileOctets) throw wrong('too long', `at most ${limits.pinFileOctets} octets`);
    return fromUtf8(Uint8Array.from(await handle.readFile()), 'sip.pins');
  } finally {
    await handle.close();
  }
}

function wrong(problem: string, expected: string): ProtocolError {
  return new ProtocolError('malformed', problem, { field: 'sip.pins', expected });
}
