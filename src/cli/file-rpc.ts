import { z } from 'zod';
import { fromBase64, toBase64 } from '../base/bytes.ts';
import { policies } from '../base/protection-level.ts';
import type { Account } from '../engine/account.ts';
import { maxIconOctets, readIcon } from '../engine/files/file-icon.ts';
import type { FileView } from '../engine/files/file-view.ts';
import { checkParams, RpcError } from './json-rpc.ts';
import { withoutUndefined } from './without-undefined.ts';

const file = z.strictObject({ id: z.string() });
const maxIconCharacters = Math.ceil(maxIconOctets / 3) * 4;

/** Files over docs/ue-rpc.md. */
export const fileParams = {
  'file.send': z.strictObject({
    to: z.string().trim().min(1).max(1000),
    path: z.string().min(1).max(4096),
    policy: z.enum(policies).optional(),
    consent: z.boolean().optional(),
    /** Base64. */
    icon: z.base64().max(maxIconCharacters).optional(),
  }),
  'file.accept': file,
  'file.decline': file,
  'file.pause': file,
  'file.resume': z.strictObject({ id: z.string(), consent: z.boolean().optional() }),
  'file.cancel': file,
  'file.list': z.strictObject({}),
} as const;
export type FileMethod = keyof typeof fileParams;

export function isFileMethod(method: string): method is FileMethod {
  return Object.hasOwn(fileParams, method);
}

type WithFiles = Pick<Account, 'sendFile' | 'files'>;

export async function runFileMethod(account: WithFiles, method: FileMethod, given: unknown): Promise<unknown> {
  const { files } = account;
  switch (method) {
    case 'file.send':
      return send(account, given);
    case 'file.accept':
      return done(files.accept(checkParams(fileParams[method], given).id), 'is offered');
    case 'file.decline':
      return done(files.decline(checkParams(fileParams[method], given).id), 'is offered');
    case 'file.pause':
      return done(files.pause(checkParams(fileParams[method], given).id), 'is under way');
    case 'file.resume': {
      const { id, consent } = checkParams(fileParams[method], given);
      return done(files.resume(id, consent), 'is paused or interrupted');
    }
    case 'file.cancel':
      return done(files.cancel(checkParams(fileParams[method], given).id), 'is under way or waits');
    case 'file.list':
      checkParams(fileParams[method], given);
      return { files: files.views().map(shownFile) };
  }
}

/** A preview is base64 in JSON. */
export function shownFile({ icon, ...view }: FileView): object {
  return icon === undefined ? view : { ...view, icon: { contentType: icon.contentType, base64: toBase64(icon.bytes) } };
}

async function send(account: WithFiles, given: unknown): Promise<unknown> {
  const { icon, ...request } = withoutUndefined(checkParams(fileParams['file.send'], given));
  const bytes = icon === undefined ? undefined : fromBase64(icon);
  if (bytes !== undefined && readIcon(bytes) === undefined) {
    throw new RpcError('invalid-params', 'icon: expected PNG, JPEG or WebP of at most 32 KiB', 'icon');
  }
  const picture = bytes === undefined ? {} : { icon: bytes };
  const outcome = await account.sendFile({ ...request, ...picture });
  return outcome.outcome === 'refused' ? outcome : { outcome: outcome.outcome, file: shownFile(outcome.file) };
}

function done(isDone: boolean, state: string): object {
  if (!isDone) throw new RpcError('no-such-file', `No file of this id ${state}.`, 'id');
  return {};
}
