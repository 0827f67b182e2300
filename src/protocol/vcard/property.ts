import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { vcardLimits } from './limits.ts';

/**
 * One property of a card (RFC 6350 section 3.3):
 * `[group "."] name *(";" param) ":" value`.
 */
export interface VCardProperty {
  readonly group?: string;
  /** Upper case. */
  readonly name: string;
  /** By name in upper case; the values as they are meant, without quotes and escapes. */
  readonly parameters: ReadonlyMap<string, readonly string[]>;
  /** As it stands in the file, but without the transfer encoding of vCard 2.1: what it means depends on the property. */
  readonly value: string;
}

const field = 'vcard.property';
const token = /^[A-Za-z0-9-]{1,64}$/;

/** @throws ProtocolError `malformed` for what is no property, `unsupported` for a charset other than UTF-8. */
export function parseProperty(line: Uint8Array): VCardProperty {
  const text = fromUtf8(line, field);
  const { head, value } = splitHead(text);
  const [path = '', ...rest] = head;
  const dot = path.lastIndexOf('.');
  const group = dot > 0 ? path.slice(0, dot) : undefined;
  const name = path.slice(dot + 1).trim();
  if (!token.test(name) || (group !== undefined && !token.test(group)) || dot === 0) fail('not a property', 'a name');
  if (rest.length > vcardLimits.parametersPerProperty) {
    fail('too many parameters', `at most ${vcardLimits.parametersPerProperty}`);
  }
  const parameters = new Map<string, readonly string[]>();
  for (const parameter of rest) addParameter(parameters, parameter);
  return {
    ...(group === undefined ? {} : { group }),
    name: name.toUpperCase(),
    parameters,
    value: decoded(value, parameters),
  };
}

/** The values of a parameter, in lower case. */
export function parameterValues({ parameters }: VCardProperty, name: string): readonly string[] {
  return (parameters.get(name) ?? []).map((value) => value.toLowerCase());
}

/** Cuts at the first colon outside quotes, and the part before at the semicolons outside quotes. */
function splitHead(text: string): { readonly head: readonly string[]; readonly value: string } {
  const head: string[] = [];
  let isQuoted = false;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') isQuoted = !isQuoted;
    if (isQuoted || (character !== ';' && character !== ':')) continue;
    head.push(text.slice(start, at));
    start = at + 1;
    if (character === ':') return { head, value: text.slice(start) };
  }
  return fail('no value', 'a colon before the value');
}

function addParameter(parameters: Map<string, readonly string[]>, text: string): void {
  const equals = text.indexOf('=');
  // vCard 2.1 writes values without the parameter's name.
  const bare = text.trim().toUpperCase();
  const bareName = ['BASE64', 'QUOTED-PRINTABLE', '8BIT', '7BIT'].includes(bare) ? 'ENCODING' : 'TYPE';
  const name = equals < 0 ? bareName : text.slice(0, equals).trim().toUpperCase();
  if (!token.test(name)) fail('not a parameter', 'a name');
  const values = splitValues(equals < 0 ? text.trim() : text.slice(equals + 1));
  parameters.set(name, [...(parameters.get(name) ?? []), ...values]);
}

function splitValues(text: string): string[] {
  const values: string[] = [];
  let isQuoted = false;
  let value = '';
  for (const character of text) {
    if (character === '"') isQuoted = !isQuoted;
    else if (character === ',' && !isQuoted) {
      values.push(value);
      value = '';
    } else value += character;
  }
  values.push(value);
  return values.map(withoutCarets);
}

/** RFC 6868: what quotes cannot hold. */
function withoutCarets(value: string): string {
  return value.replace(/\^(n|\^|')/g, (_, code: string) => (code === 'n' ? '\n' : code === '^' ? '^' : '"'));
}

function decoded(value: string, parameters: ReadonlyMap<string, readonly string[]>): string {
  const [encoding = ''] = parameters.get('ENCODING') ?? [];
  const [charset = 'UTF-8'] = parameters.get('CHARSET') ?? [];
  const isPlain = !/[^\t -~]/.test(value) && encoding.toUpperCase() !== 'QUOTED-PRINTABLE';
  if (!isPlain && !/^(utf-?8|us-ascii)$/i.test(charset)) {
    throw new ProtocolError('unsupported', 'another charset', { field, expected: 'UTF-8' });
  }
  return encoding.toUpperCase() === 'QUOTED-PRINTABLE' ? fromQuotedPrintable(value) : value;
}

/** RFC 2045 section 6.7; line breaks in it are what vCard 3.0 writes as `\n`. */
function fromQuotedPrintable(value: string): string {
  if (/=(?![0-9A-Fa-f]{2})/.test(value)) fail('not quoted-printable', 'two hexadecimal digits after =');
  const octets: number[] = [];
  for (const [, hex, plain] of value.matchAll(/=([0-9A-Fa-f]{2})|([^=]+)/g)) {
    if (hex === undefined) for (const octet of utf8(plain ?? '')) octets.push(octet);
    else octets.push(Number.parseInt(hex, 16));
  }
  return fromUtf8(Uint8Array.from(octets), field).replace(/\r?\n/g, '\\n');
}

function fail(problem: string, expected: string): never {
  throw new ProtocolError('malformed', problem, { field, expected });
}
