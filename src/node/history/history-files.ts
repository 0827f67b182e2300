import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { utf8 } from '../../base/bytes.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import type { FileStorage } from '../../engine/files/file-storage.ts';
import {
  exportHtml,
  exportJson,
  HistoryImport,
  type ExportedAttachment,
  type ExportScope,
  type HistoryReport,
  type ImportTarget,
} from '../../engine/history/index.ts';
import { writeCopy } from '../attachments/index.ts';
import { numberedFileName, safeFileName } from '../files/safe-name.ts';
import { checkExportedMessage } from './exported-message.ts';

/** A file that an export may list or have beside it. */
export interface AttachedFile extends Omit<ExportedAttachment, 'copy'> {
  /** Where it is on this machine; absent when it is not there any more. */
  readonly path?: string;
}

export interface ExportRequest {
  readonly scope: ExportScope;
  readonly format: 'json' | 'html';
  /** A new file: nothing that is there is replaced. */
  readonly path: string;
  readonly attachments?: readonly AttachedFile[];
  /** Copies the files into a folder beside the export, readable for every program. */
  readonly copiesWith?: Pick<FileStorage, 'openSource'>;
}

export interface ExportReport {
  readonly path: string;
  readonly files: readonly ExportedAttachment[];
  /** Names of files that could not be copied. */
  readonly notCopied: readonly string[];
}

/** @throws Error with code `EEXIST` when there is such a file */
export async function writeHistory({
  scope,
  format,
  path,
  attachments = [],
  copiesWith,
}: ExportRequest): Promise<ExportReport> {
  const folder = `${basename(path, extname(path))}-files`;
  const files: ExportedAttachment[] = [];
  const notCopied: string[] = [];
  const into = join(dirname(path), folder);
  const isCopying = copiesWith !== undefined && attachments.some((file) => file.path !== undefined);
  // A folder of an earlier export is left alone.
  if (isCopying) await mkdir(into, { mode: 0o700 });
  try {
    for (const { path: from, ...file } of attachments) {
      const copy = isCopying && from !== undefined ? await copied(copiesWith, from, into, file.name) : undefined;
      if (copiesWith !== undefined && copy === undefined) notCopied.push(file.name);
      files.push(copy === undefined ? file : { ...file, copy: `${folder}/${copy}` });
    }
    await writeCopy(path, octets((format === 'json' ? exportJson : exportHtml)(scope, files)));
  } catch (error) {
    if (isCopying) await rm(into, { recursive: true, force: true });
    throw error;
  }
  return { path, files, notCopied };
}

/** @throws ProtocolError for what is no export, or one that was cut off */
export async function readHistory(path: string, targets: readonly ImportTarget[], now: number): Promise<HistoryReport> {
  const taking = new HistoryImport({ targets, check: checkExportedMessage, now });
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decoded = (piece?: Uint8Array): string => {
    try {
      return piece === undefined ? decoder.decode() : decoder.decode(piece, { stream: true });
    } catch (cause) {
      throw new ProtocolError('malformed', 'not UTF-8', { field: 'history', expected: 'UTF-8 text', cause });
    }
  };
  for await (const piece of createReadStream(path)) await taking.push(decoded(piece as Buffer));
  await taking.push(decoded());
  return taking.finish();
}

/** Undefined when it cannot be copied. */
async function copied(
  storage: Pick<FileStorage, 'openSource'>,
  from: string,
  into: string,
  name: string,
): Promise<string | undefined> {
  const safe = safeFileName(name);
  for (let number = 1; number < 1000; number++) {
    const copy = number === 1 ? safe : numberedFileName(safe, number);
    try {
      await writeCopy(join(into, copy), (await storage.openSource(from)).read(0));
      return copy;
    } catch (error) {
      if (!describeError(error).startsWith('EEXIST')) return undefined;
    }
  }
  return undefined;
}

/** Pieces large enough to be worth a write. */
function* octets(texts: Iterable<string>): Generator<Uint8Array> {
  let text = '';
  for (const piece of texts) {
    text += piece;
    if (text.length < 64 * 1024) continue;
    yield utf8(text);
    text = '';
  }
  yield utf8(text);
}
