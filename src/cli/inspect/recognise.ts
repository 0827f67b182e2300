import { fromUtf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { mikeyShapeOf } from '../../protocol/mikey/inspect/index.ts';
import { looksLikeDer } from './cms-tree.ts';
import { readBase64Text, readHexText, type TextOctets } from './text-octets.ts';

/** What an input may be said to be with `--as`. */
export const formats = [
  'mikey',
  'ticket',
  'ticket-payload',
  'policy',
  'policy-payload',
  'cms',
  'sip',
  'http',
  'sdp',
  'mime',
  'cpim',
  'msrp',
  'imdn',
] as const;

export type Format = (typeof formats)[number];

/** Formats of octets, which may also be written as text. */
export const isBinary = (format: Format): boolean =>
  ['mikey', 'ticket', 'ticket-payload', 'policy', 'policy-payload', 'cms'].includes(format);

/** MIKEY begins with an octet that no text begins with. A ticket's next payload may be any octet, but its second is 0. */
export function isAlready(bytes: Uint8Array, format: Format): boolean {
  return bytes.subarray(0, 8).some((octet) => octet < 0x09) || (format === 'cms' && looksLikeDer(bytes));
}

/** What a text in hexadecimal digits or base64 stands for, PEM armour taken off. */
export function octetsOfText(bytes: Uint8Array): TextOctets | undefined {
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return undefined;
  }
  const pem = /-----BEGIN [A-Z0-9 ]+-----([^-]*)(?:-----END|$)/.exec(text)?.[1];
  return pem === undefined ? (readHexText(text) ?? readBase64Text(text)) : readBase64Text(pem);
}

/** The first line, at most 4096 octets of it. */
export const firstLine = (bytes: Uint8Array): string => {
  const feed = bytes.subarray(0, 4096).indexOf(0x0a);
  return new TextDecoder('utf-8').decode(bytes.subarray(0, feed < 0 ? 4096 : feed)).trimEnd();
};

const linePatterns: readonly (readonly [RegExp, Format])[] = [
  [/^SIP\/2\.0 \d{3}|^[A-Z]+ \S+ SIP\/2\.0$/i, 'sip'],
  [/^HTTP\/\d\.\d \d{3}|^[A-Z]+ \S+ HTTP\/\d\.\d$/, 'http'],
  [/^MSRP \S+ \S+/, 'msrp'],
  [/^\s*v=0$|^\s*a=key-mgmt:/, 'sdp'],
  [/^(?:Content-Type|Content-Transfer-Encoding|Content-ID|MIME-Version)[ \t]*:/i, 'mime'],
  [/^--[^\s-]\S*$/, 'mime'],
  [/^(?:From|To|cc|DateTime|Subject|NS|Require|[A-Za-z]+\.[A-Za-z-]+):/, 'cpim'],
  [/^\uFEFF?(?:<\?xml|<imdn)/, 'imdn'],
];

/** What octets begin like. */
export function formatOf(bytes: Uint8Array): Format | undefined {
  const shape = mikeyShapeOf(bytes);
  if (shape !== undefined) return shapeFormats[shape];
  if (looksLikeDer(bytes)) return 'cms';
  const line = firstLine(bytes);
  const found = linePatterns.find(([pattern]) => pattern.test(line))?.[1];
  if (found !== undefined) return found;
  // Some lines out of an SDP, or out of a log that has them.
  return /(?:^|\n)[ \t]*a=key-mgmt:/.test(new TextDecoder('utf-8').decode(bytes)) ? 'sdp' : undefined;
}

const shapeFormats = {
  message: 'mikey',
  ticket: 'ticket',
  'payload TICKET': 'ticket-payload',
  policy: 'policy',
  'payload TP': 'policy-payload',
} as const;
