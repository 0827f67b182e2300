import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { assertProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { TrustAnchors } from '../../crypto/certificate-path.ts';
import { readPrivateKeyPem } from '../../crypto/key-files.ts';
import { readPemCertificates } from '../../crypto/pem.ts';
import { RsaPrivateKey } from '../../crypto/rsa.ts';
import type { MikeyInspectionOptions } from '../../protocol/mikey/inspect/index.ts';
import { inspectOctets } from './inspect-octets.ts';
import { formats, type Format } from './recognise.ts';
import { readHexText } from './text-octets.ts';

export const usage = `usage: npm run inspect -- INPUT [options]

Shows a MIKEY message, a ticket or a ticket policy as a tree with offsets, lengths, names and meanings, and says what of it
could be verified. INPUT is base64, base64url, hexadecimal digits (also a hex dump), a file with any of these or with the
octets themselves, or - for standard input. It may also be an SDP, a SIP or HTTP message, a multipart body, CMS, CPIM or MSRP:
what they carry is shown inside.

  --as FORMAT           what INPUT is, when it cannot tell by itself: ${formats.join(', ')}
  --json                one JSON object (docs/inspector.md has its shape)
  --psk KEY             the key shared with the KMS, or the envelope key of an exchange with public keys
  --mpk KEY             MPKi, MPKr, MPKr' or the MPK of the ticket; may be given more than once
  --tpk KEY             the ticket protection key
  --kms-key FILE        the private key of the KMS (PEM): deciphers the envelope key of an exchange with public keys
  --anchors FILE        certificates (PEM) that the certificate of a sender may lead to
  --request INPUT       the message that INPUT answers: the MAC of an answer covers it
  --exchange INPUT      an earlier message of the same Ticket Transfer, whose keys a CSB update takes; may be given more than once
  --initiator ID        an identity that the message leaves out, and its MAC covers
  --responder ID
  --kms ID
  --show-keys           prints the keys that were deciphered; keys are not printed otherwise
  --now TIME            compares times with this one (ISO 8601) and not with the clock

KEY is hexadecimal digits, or better @FILE with a file that holds them or the octets: what stands on a command line can be read
by every user of the machine and stays in the shell's history.

Exit status: 0 when everything could be read, 1 when reading stopped somewhere, 2 for wrong arguments.
`;

const maxInputOctets = 16 * 1024 * 1024;

export interface InspectArguments {
  readonly input: Uint8Array;
  readonly where: string;
  readonly format: Format | undefined;
  readonly json: boolean;
  readonly options: MikeyInspectionOptions;
}

/** A wrong argument, in one line. */
export class UsageError extends Error {}

const options = {
  help: { type: 'boolean', short: 'h' },
  as: { type: 'string' },
  json: { type: 'boolean', default: false },
  psk: { type: 'string' },
  mpk: { type: 'string', multiple: true },
  tpk: { type: 'string' },
  'kms-key': { type: 'string' },
  anchors: { type: 'string' },
  request: { type: 'string' },
  exchange: { type: 'string', multiple: true },
  initiator: { type: 'string' },
  responder: { type: 'string' },
  kms: { type: 'string' },
  'show-keys': { type: 'boolean', default: false },
  now: { type: 'string' },
} as const;

/** @returns `help` when that is asked for. @throws UsageError */
export function readInspectArguments(args: readonly string[], now: number): InspectArguments | 'help' {
  const { values, positionals } = parsed(args);
  if (values.help === true) return 'help';
  const [input, ...more] = positionals;
  if (input === undefined) throw new UsageError('INPUT is missing');
  if (more.length > 0) throw new UsageError('More than one INPUT; a text with blanks needs quotes');
  const { psk, mpk, tpk, initiator, responder, kms, anchors, 'kms-key': kmsKey } = values;
  const request = values.request === undefined ? undefined : readMessage('--request', values.request);
  const exchange = values.exchange?.map((text) => readMessage('--exchange', text));
  const { bytes, where } = readInput(input);
  return {
    input: bytes,
    where,
    format: readFormat(values.as),
    json: values.json,
    options: {
      now: values.now === undefined ? now : readTime(values.now),
      showKeys: values['show-keys'],
      ...(psk === undefined ? {} : { psk: readKey('--psk', psk) }),
      ...(mpk === undefined ? {} : { mpks: mpk.map((text) => readKey('--mpk', text)) }),
      ...(tpk === undefined ? {} : { tpk: readKey('--tpk', tpk) }),
      ...(kmsKey === undefined ? {} : { kmsKey: readKmsKey(kmsKey) }),
      ...(anchors === undefined ? {} : { anchors: readAnchors(anchors) }),
      ...(request === undefined ? {} : { request }),
      ...(exchange === undefined ? {} : { exchange }),
      ...(initiator === undefined ? {} : { initiator: utf8(initiator) }),
      ...(responder === undefined ? {} : { responder: utf8(responder) }),
      ...(kms === undefined ? {} : { kms: utf8(kms) }),
    },
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    const [line = ''] = error instanceof Error ? error.message.split('\n') : [];
    throw new UsageError(line.replace(/\.$/, ''));
  }
}

function readFormat(text: string | undefined): Format | undefined {
  if (text === undefined) return undefined;
  const format = formats.find((known) => known === text);
  if (format === undefined) throw new UsageError(`--as takes ${formats.join(', ')}`);
  return format;
}

function readTime(text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new UsageError('--now takes a time in ISO 8601');
  return time;
}

function readInput(input: string): { readonly bytes: Uint8Array; readonly where: string } {
  if (input === '-') return { bytes: readBounded(0, 'standard input'), where: 'standard input' };
  const file = tryRead(input);
  return file === undefined ? { bytes: utf8(input), where: 'argument' } : { bytes: file, where: input };
}

/** Not every text is a possible name of a file. */
function tryRead(name: string): Uint8Array | undefined {
  if (name.length > 4096 || name.includes('\0')) return undefined;
  try {
    return readBounded(name, name);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (['ENOENT', 'ENAMETOOLONG', 'ENOTDIR'].includes(code)) return undefined;
    throw new UsageError(`${name} cannot be read (${code})`);
  }
}

function readBounded(file: string | number, name: string): Uint8Array {
  const bytes = Uint8Array.from(readFileSync(file));
  if (bytes.length > maxInputOctets) throw new UsageError(`${name} has more than ${maxInputOctets} octets`);
  return bytes;
}

/** Octets of a key. What was read is in no message: a wrong key must not be printed. */
function readKey(option: string, text: string): SecretBytes {
  const content = text.startsWith('@') ? tryRead(text.slice(1)) : utf8(text);
  if (content === undefined) throw new UsageError(`${option}: there is no such file`);
  const hex = content.length <= 4096 ? readHexText(new TextDecoder().decode(content)) : undefined;
  if (hex !== undefined && hex.stop === undefined && hex.bytes.length >= 16) return checkedKey(option, hex.bytes);
  if (text.startsWith('@')) return checkedKey(option, content);
  throw new UsageError(`${option} takes at least 32 hexadecimal digits, or @FILE`);
}

function checkedKey(option: string, bytes: Uint8Array): SecretBytes {
  if (bytes.length < 16 || bytes.length > 256) throw new UsageError(`${option} takes a key of 16 to 256 octets`);
  return new SecretBytes(bytes);
}

function readKmsKey(name: string): RsaPrivateKey {
  const content = requiredFile('--kms-key', name);
  try {
    return usable(() => new RsaPrivateKey(readPrivateKeyPem(content, '--kms-key'), '--kms-key'));
  } finally {
    content.fill(0);
  }
}

function readAnchors(name: string): TrustAnchors {
  const content = requiredFile('--anchors', name);
  return usable(() => new TrustAnchors(readPemCertificates(fromUtf8(content, '--anchors'), '--anchors'), '--anchors'));
}

function requiredFile(option: string, name: string): Uint8Array {
  const content = tryRead(name);
  if (content === undefined) throw new UsageError(`${option}: there is no such file`);
  return content;
}

/** What is wrong with a file is told without its contents. */
function usable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    assertProtocolError(error);
    throw new UsageError(error.message);
  }
}

/** The MIKEY message in the input: found in the same ways, also inside an SDP or a SIP message. */
function readMessage(option: string, text: string): Uint8Array {
  const { bytes, where } = readInput(text);
  let found: Uint8Array | undefined;
  inspectOctets(bytes, { now: 0 }, where, undefined, (message) => (found ??= message));
  if (found === undefined) throw new UsageError(`${option} holds no MIKEY message`);
  return found;
}
