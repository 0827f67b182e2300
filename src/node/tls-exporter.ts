import type { TLSSocket } from 'node:tls';
import { SecretBytes } from '../base/secret-bytes.ts';

/** What Node has and its types leave out: the export without a context, which in TLS 1.2 differs from an empty one. */
interface ContextFreeExport {
  exportKeyingMaterial(length: number, label: string): Buffer;
}

/** Keying material of a connection (RFC 5705, RFC 8446 7.5), without context; its handshake must be done. @param length octets */
export function exportTlsKey(socket: TLSSocket, label: string, length: number): SecretBytes {
  const exported = (socket as TLSSocket & ContextFreeExport).exportKeyingMaterial(length, label);
  const secret = new SecretBytes(exported);
  exported.fill(0);
  return secret;
}
