import { ProtocolError } from '../../base/errors.ts';
import { decodeStun, encodeStun } from '../../protocol/stun/index.ts';

/**
 * The answer to a STUN Binding request, which tells a UE how its address looks from here (RFC 5626 8); undefined for anything
 * else, which gets none.
 */
export function answerStun(
  datagram: Uint8Array,
  mapped: { readonly host: string; readonly port: number },
): Uint8Array | undefined {
  try {
    const request = decodeStun(datagram);
    if (request.kind !== 'request') return undefined;
    const { transactionId } = request;
    return encodeStun({ kind: 'success', transactionId, mapped });
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
