import { readFile } from 'node:fs/promises';
import { equalBytes, fromHex, toHex } from '../../base/bytes.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { replaceFile } from '../../node/whole-file.ts';
import type { AuditHead } from '../audit-chain.ts';
import type { AuditStore, KmsStorage } from '../ports.ts';

const writeEveryMilliseconds = 1000;

/** `SEQUENCE:HASH`, as `audit verify` prints it and the file of the head holds it. */
export const headText = ({ sequence, hash }: AuditHead): string => `${sequence}:${toHex(hash)}`;

/** @throws ProtocolError `local` unless it is `SEQUENCE:HASH`. */
export function parseHead(text: string, field: string): AuditHead {
  const [, sequence, hash] = /^([1-9]\d{0,15}):([0-9a-f]{64})$/.exec(text.trim()) ?? [];
  if (sequence === undefined || hash === undefined) {
    throw new ProtocolError('local', 'no head of an audit', { field, expected: 'SEQUENCE:HASH' });
  }
  return { sequence: Number(sequence), hash: fromHex(hash) };
}

/** The head that was kept aside, or `undefined` when there is no such file. */
export async function readHeadFile(path: string): Promise<AuditHead | undefined> {
  try {
    return parseHead(await readFile(path, 'utf8'), 'kms.auditHeadFile');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Keeps the head of the audit aside in a file of this machine: within a second of an append, and when the storage closes. A head that
 * the audit does not lead to any more is evidence: it stays until somebody takes the file away.
 * @param onProblem told when the file cannot be written, and once when it must not be; the audit itself goes on.
 */
export function withHeadFile(storage: KmsStorage, path: string, onProblem: (reason: string) => void): KmsStorage {
  let newest: AuditHead | undefined;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let isEvidence = false;
  const keep = async (head: AuditHead): Promise<void> => {
    if (isEvidence) return;
    const noted = await readHeadFile(path);
    if (noted !== undefined && !(await leadsTo(storage.audit, noted))) {
      isEvidence = true;
      throw new Error(`line ${noted.sequence}, which was noted, is gone or another: ${path} stays as it is`);
    }
    if (noted === undefined || head.sequence > noted.sequence) await replaceFile(path, `${headText(head)}\n`);
  };
  const write = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const head = newest;
    newest = undefined;
    if (head === undefined) return writing;
    writing = writing
      .then(() => keep(head))
      .catch((error: unknown) => {
        onProblem(describeError(error));
      });
    return writing;
  };
  return {
    ...storage,
    audit: {
      head: () => storage.audit.head(),
      read: (after, limit) => storage.audit.read(after, limit),
      async append(entry) {
        const head = await storage.audit.append(entry);
        if (newest === undefined || head.sequence > newest.sequence) newest = head;
        timer ??= setTimeout(() => void write(), writeEveryMilliseconds).unref();
        return head;
      },
    },
    async close() {
      await write();
      await storage.close();
    },
  };
}

async function leadsTo(audit: Pick<AuditStore, 'read'>, { sequence, hash }: AuditHead): Promise<boolean> {
  const [line] = await audit.read(sequence - 1, 1);
  return line?.sequence === sequence && equalBytes(line.hash, hash);
}
