import { toBase64, utf8 } from '../../../src/base/bytes.ts';
import {
  decodeAkaNonce,
  decodeAuts,
  decodeBootstrappingInfo,
  encodeAkaNonce,
  encodeAuts,
  encodeBootstrappingInfo,
  formatBtid,
  parseBtid,
} from '../../../src/protocol/gba/index.ts';
import { words } from '../mutate.ts';
import { ensureSame, parsed, written, type FuzzTarget } from '../target.ts';
import { headerTokens } from './samples.ts';

/** One format of GBA: what is read is written to something that reads the same. */
function check<T>(read: () => T, write: (value: T) => unknown, readAgain: (text: never) => T): void {
  const value = parsed(read);
  if (value === undefined) return;
  const again = written(() => write(value));
  if (again !== undefined) ensureSame(readAgain(again as never), value, 'another value after writing and reading');
}

/** What a BSF and a challenge for AKA say (TS 33.220, RFC 3310). */
export const gba: FuzzTarget = {
  name: 'gba',
  corpus: [
    encodeBootstrappingInfo({ btid: 'cmFuZA==@bsf.example.com', lifetime: Date.UTC(2026, 0, 1) }),
    ...words('cmFuZA==@bsf.example.com', toBase64(new Uint8Array(32).fill(5)), toBase64(new Uint8Array(14).fill(5))),
    utf8(toBase64(new Uint8Array(48).fill(9))),
  ],
  tokens: headerTokens,
  check: (input) => {
    const text = new TextDecoder().decode(input);
    check(() => decodeBootstrappingInfo(input), encodeBootstrappingInfo, decodeBootstrappingInfo);
    check(() => decodeAkaNonce(text), encodeAkaNonce, decodeAkaNonce);
    check(() => decodeAuts(text), encodeAuts, decodeAuts);
    check(() => parseBtid(text), formatBtid, parseBtid);
  },
};
