import { concatBytes } from '../../base/bytes.ts';
import { ByteWriter } from '../../base/byte-writer.ts';
import type { ReceivedTransfer } from '../../protocol/mikey/index.ts';

/** What makes one TRANSFER_INIT different from every other (profile 5.5): IDRi, CSB ID, T, SHA-256(V). */
export function replayKey(
  received: Pick<ReceivedTransfer, 'initiator' | 'csbId' | 'timestamp' | 'macHash'>,
): Uint8Array {
  const numbers = new ByteWriter()
    .u32(received.csbId)
    .u64(BigInt.asUintN(64, BigInt(Math.trunc(received.timestamp))))
    .finish();
  return concatBytes(numbers, received.macHash, received.initiator.data);
}
