import { z } from 'zod';
import type { FileStorage } from '../engine/files/file-storage.ts';
import { writeCopy, type SealedStorage } from '../node/attachments/index.ts';
import { checkParams, RpcError } from './json-rpc.ts';
import { unusableFile } from './unusable-file.ts';

const path = z.string().min(1).max(4096);

/** Received files that are on this machine, over docs/ue-rpc.md. */
export const attachmentParams = {
  'attachment.save': z.strictObject({ path, to: path }),
  'attachment.remove': z.strictObject({ path }),
} as const;
export type AttachmentMethod = keyof typeof attachmentParams;

export function isAttachmentMethod(method: string): method is AttachmentMethod {
  return Object.hasOwn(attachmentParams, method);
}

/** @param storage absent where no files are kept */
export async function runAttachmentMethod(
  storage: FileStorage | undefined,
  method: AttachmentMethod,
  given: unknown,
): Promise<unknown> {
  if (storage === undefined) throw new RpcError('no-such-file', 'No files are kept here.', 'path');
  switch (method) {
    case 'attachment.save': {
      const { path: from, to } = checkParams(attachmentParams[method], given);
      const source = await storage.openSource(from).catch((error: unknown) => unusableFile(error));
      await writeCopy(to, source.read(0)).catch((error: unknown) => unusableFile(error, 'to'));
      return { path: to, name: source.name, type: source.type, size: source.size };
    }
    case 'attachment.remove': {
      const asked = checkParams(attachmentParams[method], given);
      if (!isSealing(storage))
        throw new RpcError('no-such-file', 'Files are not sealed here: remove it as any file.', 'path');
      await storage.remove(asked.path).catch((error: unknown) => unusableFile(error));
      return {};
    }
  }
}

function isSealing(storage: FileStorage): storage is SealedStorage {
  return 'remove' in storage;
}
