import { composingIdPrefix } from '../composing/message-composing.ts';
import type { ReceivedMessage } from '../psk-mime/index.ts';
import { receiptIdPrefix } from '../receipts/owed-receipts.ts';
import type { Arrival } from './arrivals.ts';
import type { Decrypted } from './decryptor.ts';

/** What stands for a sealed message that cannot be read, under the id that its sender gave it in clear. */
export function unreadArrival(
  id: string,
  { peer, level, evidence, problem }: Decrypted,
  { claimedId }: ReceivedMessage,
): Arrival {
  return {
    id,
    peer,
    text: '',
    level,
    evidence,
    ...(problem === undefined ? {} : { problem }),
    ...(claimedId === undefined ? {} : { messageId: claimedId }),
  };
}

/** By its sender's word a notification: nothing that a user would miss while it cannot be read. */
export function isAside({ claimedId = '' }: ReceivedMessage): boolean {
  return claimedId.startsWith(receiptIdPrefix) || claimedId.startsWith(composingIdPrefix);
}
