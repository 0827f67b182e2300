import type { TreeReader } from '../../../base/tree-reader.ts';
import { named } from './names.ts';

/** How the key octets of a key data sub-payload are treated. */
export type KeyDisplay = 'shown' | 'hidden' | 'wish';

const allZero = (bytes: Uint8Array): boolean => bytes.every((octet) => octet === 0);

function keyOctets(reader: TreeReader, name: string, display: KeyDisplay): void {
  const length = reader.number(2, `${name} length`);
  if (display === 'shown') {
    reader.octets(length, name);
    return;
  }
  reader.hidden(length, name, (bytes) => {
    // Reading [A11]: a wish for a key has zero octets in its place.
    if (display === 'wish' && allZero(bytes)) return 'zero octets: a key of this length is wanted';
    return display === 'wish' ? 'not shown, although a wish should have zero octets' : 'not shown';
  });
}

/** Reads KV data (RFC 3830 6.14). */
export function readValidity(reader: TreeReader, kv: number): void {
  switch (kv) {
    case 0:
      return;
    case 1:
      reader.octets(reader.number(1, 'SPI length'), 'SPI');
      return;
    case 2:
      reader.octets(reader.number(1, 'VF length'), 'Valid From');
      reader.octets(reader.number(1, 'VT length'), 'Valid To');
      return;
    default:
      reader.stop('KV', `key validity ${kv}`, '0, 1 or 2');
  }
}

/** The key data sub-payloads of a KEMAC (RFC 3830 6.13, RFC 6043 6.2). */
export function readKeyDataChain(reader: TreeReader, display: KeyDisplay): void {
  for (let next = 20; next !== 0;) {
    if (next !== 20) reader.stop('Next payload', `payload ${next} among keys`, '20 (Key data) or 0 (the last)');
    next = reader.group(
      'Key data',
      () => {
        const following = reader.number(1, 'Next payload', named('nextPayload'));
        return { following, type: readKeyDataBody(reader, display) };
      },
      ({ type }) => named('keyType')(type),
    ).following;
  }
}

/** Everything of a key data sub-payload but its Next Payload. @returns the type. */
export function readKeyDataBody(reader: TreeReader, display: KeyDisplay): number {
  let type = 0;
  const head = reader.number(1, 'Type, KV', (octet) => {
    type = octet >> 4;
    return `${named('keyType')(type)}, validity ${named('keyValidity')(octet & 0x0f)}`;
  });
  keyOctets(reader, 'Key data', display);
  if (type === 1 || type === 3 || type === 5) keyOctets(reader, 'Salt', display);
  readValidity(reader, head & 0x0f);
  return type;
}
