import { secureRandom } from '../../../src/crypto/random.ts';

/** As large as what is read of a file at once. */
const piece = secureRandom.bytes(256 * 1024);

/** Random octets, the same again and again, so that making them costs nothing. */
export async function* memoryPieces(octets: number): AsyncGenerator<Uint8Array> {
  for (let left = octets; left > 0; left -= piece.length) yield left < piece.length ? piece.subarray(0, left) : piece;
}
