import type { Policy, ProtectionLevel } from '../../base/protection-level.ts';
import type { FilesConfig } from '../account-config.ts';
import { limits } from '../limits.ts';
import { refuse, type RefusalCode } from '../refusal.ts';
import type { FileSelector } from '../../protocol/sdp/index.ts';
import type { TransferNote } from './file-storage.ts';
import type { FileTransfer } from './file-transfer.ts';
import type { FileView } from './file-view.ts';

/** With this Warning a receiver that has a part of a file refuses the offer of all of it (RFC 5547 section 8.3.1). */
export const restWillBeFetched = 'the rest will be fetched';

/** What went wrong outside of the two sides passes, so it is tried again by itself. */
export function isTemporary(code: RefusalCode | undefined): boolean {
  const codes: readonly (RefusalCode | undefined)[] = [
    undefined,
    'timeout',
    'connection-lost',
    'peer-unreachable',
    'kms-unreachable',
    'not-registered',
  ];
  return codes.includes(code);
}

/** Names the content of a file from one peer to one account, over all attempts. */
export function keyOf(account: string, peer: string, { size, hashes }: FileSelector): string {
  const named = hashes.map(({ algorithm, value }) => `${algorithm}:${value}`).sort();
  return [account, peer, String(size), ...named].join(' ');
}

/** The policy under which the rest of a file is fetched: no weaker than what brought or announced its first part. */
export function fetchPolicy(level: ProtectionLevel | undefined): Policy {
  if (level === 'e2e') return 'require-e2e';
  return level === 'e2ae' ? 'require-e2ae' : 'any';
}

/** The account's bounds. @throws RefusalError in words; the sender reads the first of them. */
export function checkOffer({ size, type = '' }: FileSelector, { maxOctets, refusedTypes = [] }: FilesConfig): void {
  const most = Math.min(maxOctets ?? limits.fileOctets, limits.fileOctets);
  if ((size ?? 0) > most) {
    throw refuse('too-large', 'file-offer', { happened: `Files of more than ${most} octets are not taken here` });
  }
  const [plain = ''] = type.toLowerCase().split(';');
  const isRefused = refusedTypes.some((entry) => {
    const pattern = entry.toLowerCase();
    return pattern.endsWith('/*') ? plain.startsWith(pattern.slice(0, -1)) : plain === pattern;
  });
  if (isRefused) {
    throw refuse('peer-incompatible', 'file-offer', { happened: `Files of type ${plain} are not taken here` });
  }
}

/** Undefined for a file that another run could not tell from any other, or of which nothing came yet. */
export function noteOf({ view, hashes, isPausedHere }: FileTransfer, account: string): TransferNote | undefined {
  const { id, peer, name, type, size, at, level, evidence } = view;
  if (hashes.length === 0 || level === undefined || evidence === undefined) return undefined;
  return { account, id, peer, name, type, size, hashes, at, level, evidence, isPaused: isPausedHere };
}

/** How a transfer is shown that an earlier run left. */
export function viewOfNote(
  { id, peer, name, type, size, at, level, evidence, isPaused }: TransferNote,
  present: number,
): FileView {
  const state = isPaused ? 'paused' : 'interrupted';
  return { id, peer, direction: 'in', name, type, size, state, transferred: present, at, level, evidence };
}
