import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import type { FileStorage } from '../engine/files/file-storage.ts';
import type { FileView } from '../engine/files/file-view.ts';
import type { AccountStore } from '../engine/store/index.ts';
import { readHistory, writeHistory } from '../node/history/history-files.ts';
import { tryKmsUserIdentity } from '../protocol/sip/identities.ts';
import { checkParams } from './json-rpc.ts';
import { unusableFile } from './unusable-file.ts';

const path = z.string().min(1).max(4096);

/** Export and import of messages over docs/ue-rpc.md. */
export const historyParams = {
  'history.export': z.strictObject({
    path,
    format: z.enum(['json', 'html']),
    /** Of this conversation only. */
    peer: z.string().trim().min(1).max(1000).optional(),
    /** `list`: named in the export; `copy`: copied into a folder beside it, readable for every program. */
    files: z.enum(['list', 'copy']).optional(),
  }),
  'history.import': z.strictObject({ path }),
} as const;
export type HistoryMethod = keyof typeof historyParams;

export function isHistoryMethod(method: string): method is HistoryMethod {
  return Object.hasOwn(historyParams, method);
}

/** What an account has to export, and where imported messages go. */
export interface HistoryParts {
  readonly accountId: string;
  readonly identity: string;
  readonly store: AccountStore;
  readonly clock: Clock;
  readonly files: () => readonly FileView[];
  /** Absent where no files are kept. */
  readonly storage?: FileStorage | undefined;
}

export async function runHistoryMethod(parts: HistoryParts, method: HistoryMethod, given: unknown): Promise<unknown> {
  try {
    switch (method) {
      case 'history.export':
        return await exported(parts, checkParams(historyParams[method], given));
      case 'history.import': {
        const { accountId: id, identity, store, clock } = parts;
        return await readHistory(
          checkParams(historyParams[method], given).path,
          [{ id, identity, store }],
          clock.now(),
        );
      }
    }
  } catch (error) {
    return unusableFile(error);
  }
}

async function exported(
  { accountId, identity, store, clock, files, storage }: HistoryParts,
  asked: z.output<(typeof historyParams)['history.export']>,
): Promise<unknown> {
  const peer = asked.peer === undefined ? undefined : (tryKmsUserIdentity(asked.peer) ?? asked.peer);
  const attachments = files()
    .filter((view) => view.state === 'done' && (peer === undefined || view.peer === peer))
    .map(({ peer: who, direction, name, type, size, at, path: place }) => ({
      accountId,
      peer: who,
      direction,
      name,
      type,
      ...(size === undefined ? {} : { size }),
      at,
      ...(place === undefined ? {} : { path: place }),
    }));
  const report = await writeHistory({
    scope: {
      accounts: [{ id: accountId, identity, messages: store.messages }],
      ...(peer === undefined ? {} : { peer }),
      at: clock.now(),
    },
    format: asked.format,
    path: asked.path,
    attachments,
    ...(asked.files === 'copy' && storage !== undefined ? { copiesWith: storage } : {}),
  });
  return { path: report.path, files: report.files.length, notCopied: report.notCopied };
}
