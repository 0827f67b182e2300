import { concatBytes, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { encodeMimeEntity } from '../mime-entity.ts';
import { cpimNamespaces, type CpimHeader, type CpimMessage } from './cpim-message.ts';
import { escapeValue, formatAddress } from './header-value.ts';

// NAMECHAR of RFC 3862 3.6.
const namePattern = /^[!#-'*+\-^-`|~a-zA-Z0-9]+$/;

/**
 * Writes a `message/cpim` body. Foreign namespaces get prefixes of their own choosing: the prefix has no meaning.
 * @throws ProtocolError `local` for what cannot be written as a header
 */
export function encodeCpim(message: CpimMessage): Uint8Array {
  const lines: string[] = [];
  if (message.from !== undefined) lines.push(`From: ${formatAddress(message.from)}`);
  lines.push(...message.to.map((address) => `To: ${formatAddress(address)}`));
  lines.push(...(message.cc ?? []).map((address) => `cc: ${formatAddress(address)}`));
  if (message.dateTime !== undefined) lines.push(`DateTime: ${new Date(message.dateTime).toISOString()}`);
  if (message.subject !== undefined) lines.push(`Subject: ${escapeValue(message.subject)}`);
  lines.push(...imdnLines(message), ...otherLines(message.otherHeaders));
  const headers = lines.map((line) => `${line}\r\n`).join('');
  return concatBytes(utf8(`${headers}\r\n`), encodeMimeEntity(message.content));
}

function imdnLines({ messageId, dispositions, originalTo, recordRoute = [], route = [] }: CpimMessage): string[] {
  const lines: string[] = [];
  if (messageId !== undefined) lines.push(`imdn.Message-ID: ${escapeValue(messageId)}`);
  if (dispositions.length > 0) lines.push(`imdn.Disposition-Notification: ${escapeValue(dispositions.join(', '))}`);
  if (originalTo !== undefined) lines.push(`imdn.Original-To: ${formatAddress(originalTo)}`);
  lines.push(...recordRoute.map((address) => `imdn.IMDN-Record-Route: ${formatAddress(address)}`));
  lines.push(...route.map((address) => `imdn.IMDN-Route: ${formatAddress(address)}`));
  return lines.length === 0 ? [] : [`NS: imdn <${cpimNamespaces.imdn}>`, ...lines];
}

function otherLines(headers: readonly CpimHeader[]): string[] {
  const lines: string[] = [];
  const prefixes = new Map<string, string>([[cpimNamespaces.core, '']]);
  for (const { namespace, name, parameters, value } of headers) {
    if (!namePattern.test(name) || /[\s\p{Cc}]/u.test(parameters ?? '') || /[<>\s\p{Cc}]/u.test(namespace)) {
      throw new ProtocolError('local', 'cannot be written', { field: 'cpim.header', expected: 'a header name' });
    }
    let prefix = prefixes.get(namespace);
    if (prefix === undefined) {
      prefix = `ns${prefixes.size}.`;
      prefixes.set(namespace, prefix);
      lines.push(`NS: ${prefix.slice(0, -1)} <${namespace}>`);
    }
    lines.push(`${prefix}${name}:${parameters === undefined ? '' : `;${parameters}`} ${escapeValue(value)}`);
  }
  return lines;
}
