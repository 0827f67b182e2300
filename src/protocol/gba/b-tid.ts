import { fromBase64, toBase64 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';

/** Names one bootstrapping: base64(RAND) "@" the BSF's host name (TS 33.220 clause 4.5.2). */
export interface BootstrappingTransactionId {
  /** RAND, or for GBA_Digest what the BSF put in its place. */
  readonly value: Uint8Array;
  /** Lower case. */
  readonly host: string;
}

const maxLength = 512;
const hostName = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** @throws ProtocolError `local` for an empty value or what is no host name */
export function formatBtid({ value, host }: BootstrappingTransactionId): string {
  const text = `${toBase64(value)}@${host.toLowerCase()}`;
  if (value.length === 0 || text.length > maxLength || !hostName.test(host.toLowerCase())) fail('local');
  return text;
}

/** @throws ProtocolError `malformed` */
export function parseBtid(text: string): BootstrappingTransactionId {
  const at = text.indexOf('@');
  const host = text.slice(at + 1).toLowerCase();
  if (text.length > maxLength || at < 1 || !hostName.test(host)) fail('malformed');
  return { value: fromBase64(text.slice(0, at), 'gba.btid'), host };
}

function fail(kind: 'local' | 'malformed'): never {
  throw new ProtocolError(kind, 'not a B-TID', { field: 'gba.btid', expected: 'base64, "@" and a host name' });
}
