import { ByteWriter } from '../../base/byte-writer.ts';

/** `kekid.keyIdentifier` of a protected message: CSB ID (4 octets) || CS ID (1) || SPI (profile 5.2). */
export function keyIdentifierOf(session: {
  readonly csbId: number;
  readonly csId: number;
  readonly spi: Uint8Array;
}): Uint8Array {
  return new ByteWriter().u32(session.csbId).u8(session.csId).bytes(session.spi).finish();
}
