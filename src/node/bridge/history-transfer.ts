import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProtocolError } from '../../base/errors.ts';
import type { CheckedInput, ExportOutcome, ImportOutcome } from '../../contract/index.ts';
import type { ImportTarget } from '../../engine/history/index.ts';
import type { Store } from '../../engine/store/index.ts';
import { readHistory, writeHistory } from '../history/history-files.ts';
import { safeFileName } from '../files/safe-name.ts';
import type { FileShell } from './file-desk.ts';
import { BridgeFault } from './host.ts';

export interface TransferAccount {
  readonly id: string;
  readonly identity: string;
}

export interface HistoryTransferParts {
  readonly store: Store;
  readonly shell: FileShell;
  readonly now: () => number;
}

/** Puts what was said into a file of the user's, readable for everybody who has it. */
export async function exportHistory(
  { store, shell, now }: HistoryTransferParts,
  { id, identity }: TransferAccount,
  { peer, format }: CheckedInput<'exportHistory'>,
): Promise<ExportOutcome> {
  const day = new Date(now()).toISOString().slice(0, 10);
  const who = (peer ?? identity).replace(/^sips?:/, '').replace(/[^\w.@+-]+/g, '-');
  const name = safeFileName(`tessera-${who}-${day}.${format}`);
  const messages = store.account(id).messages;
  const scope = { accounts: [{ id, identity, messages }], at: now(), ...(peer === undefined ? {} : { peer }) };
  try {
    if (shell.chooseSave !== undefined) {
      const path = await shell.chooseSave(name);
      if (path === undefined) return { outcome: 'cancelled' };
      await writeHistory({ scope, format, path });
      return { outcome: 'saved', where: path };
    }
    if (shell.offerDownload === undefined) throw new BridgeFault('unavailable', 'Nothing can be saved here.');
    const folder = await mkdtemp(join(tmpdir(), 'tessera-export-'));
    const path = join(folder, name);
    try {
      await writeHistory({ scope, format, path });
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    return { outcome: 'download', path: shell.offerDownload(path, name), name };
  } catch (error) {
    return { outcome: 'failed', explanation: `The file could not be written (${codeOf(error)}).` };
  }
}

export async function importHistory(
  { now, store }: HistoryTransferParts,
  accounts: readonly TransferAccount[],
  path: string,
): Promise<ImportOutcome> {
  const targets: ImportTarget[] = accounts.map(({ id, identity }) => ({ id, identity, store: store.account(id) }));
  try {
    const { taken, known, leftOut } = await readHistory(path, targets, now());
    return { outcome: 'done', taken, known, leftOut };
  } catch (error) {
    if (error instanceof ProtocolError) {
      return { outcome: 'failed', explanation: 'This is no export of messages, or it was cut off.' };
    }
    return { outcome: 'failed', explanation: `The file cannot be read (${codeOf(error)}).` };
  }
}

/** @throws what is no failure of a file */
function codeOf(error: unknown): string {
  if (error instanceof Error && !(error instanceof BridgeFault) && 'code' in error) return String(error.code);
  throw error;
}
