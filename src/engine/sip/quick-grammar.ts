import { Core, NameAddrHeader, URI } from 'sip.js';

/**
 * The grammar of SIP.js rebuilds its tables for every header that it reads, which costs more than all else that happens to a message.
 * What nearly every message is made of is read here instead, to the same values; everything else, and everything odd, is left to the
 * grammar, which keeps the last word on what is well-formed.
 */
export function installQuickGrammar(): void {
  if (isInstalled) return;
  isInstalled = true;
  Core.Grammar.parse = (input, rule): unknown => quickParse(input, rule) ?? grammarParse(input, rule);
}

let isInstalled = false;
export const grammarParse: typeof Core.Grammar.parse = Core.Grammar.parse;

/** Undefined for what is left to the grammar. */
export function quickParse(input: string, rule: string): unknown {
  return input.length > maxQuickLength ? undefined : readers[rule]?.(input);
}

const maxQuickLength = 1024;
const label = '[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const octet = '(?:[1-9]?[0-9]|1[0-9]{2})';
const host = `(?:(?:${label}\\.){0,8}${label}|${octet}(?:\\.${octet}){3})`;
const port = '[1-5]?[0-9]{1,4}';
const parameter = ';[A-Za-z][A-Za-z0-9-]{0,31}(?:=[A-Za-z0-9._-]{1,128})?';
/** Those of a URI may hold a colon, as a GRUU has it. */
const uriParameter = ';[A-Za-z][A-Za-z0-9-]{0,31}(?:=[A-Za-z0-9._:-]{1,128})?';
const uri = `(sips?):(?:([A-Za-z0-9._+-]{1,128})@)?(${host})(?::(${port}))?((?:${uriParameter}){0,8})`;
const uriPattern = new RegExp(`^${uri}$`);
const requestPattern = new RegExp(`^([A-Z]{3,16}) (\\S{5,512}) SIP/2\\.0$`);
const statusPattern = /^SIP\/2\.0 ([1-6][0-9]{2}) ([A-Za-z0-9 -]{0,128})$/;
const viaPattern = new RegExp(`^SIP/2\\.0/(UDP|TCP|TLS|WS|WSS) (${host})(?::(${port}))?((?:${parameter}){1,8})$`);
const namePattern = new RegExp(`^(?:"([A-Za-z0-9 ]{1,64})" ?)?<([^<>]{5,512})>((?:${parameter}){0,8})$`);
const portPattern = new RegExp(`^${port}$`);
const addressPattern = new RegExp(`^${octet}(?:\\.${octet}){3}$`);
/** URI parameters of which the grammar knows more than that they have a value. */
const knownUriParameters = /;(?:user|method|ttl|maddr|lr)\b/i;
/** Via parameters of which the grammar knows more. */
const knownViaParameters = ['branch', 'rport', 'received'];

const readers: Readonly<Record<string, (input: string) => unknown>> = {
  Request_Response: readStartLine,
  SIP_URI: readUri,
  From: readNameAddress,
  To: readNameAddress,
  Via: readVia,
  CSeq: (input) => {
    const [, number, method] = /^([0-9]{1,9}) ([A-Z]{3,16})$/.exec(input) ?? [];
    return number === undefined ? undefined : { value: Number(number), method };
  },
  Call_ID: (input) => (/^[A-Za-z0-9.-]{1,128}(?:@[A-Za-z0-9.-]{1,128})?$/.test(input) ? input : undefined),
  Max_Forwards: (input) => readNumber(input, 3),
  Content_Length: (input) => readNumber(input, 6),
  Content_Type: (input) => (/^application\/(?:octet-stream|sdp)$/.test(input) ? input : undefined),
};

function readStartLine(input: string): unknown {
  const [, status, reason] = statusPattern.exec(input) ?? [];
  if (status !== undefined) return { sip_version: 'SIP/2.0', status_code: Number(status), reason_phrase: reason };
  const [, method, target] = requestPattern.exec(input) ?? [];
  const parsed = target === undefined ? undefined : readUri(target);
  return parsed === undefined ? undefined : { method, uri: parsed, sip_version: 'SIP/2.0' };
}

function readUri(input: string): URI | undefined {
  const [, scheme, user, domain, port, parameters = ''] = uriPattern.exec(input) ?? [];
  if (scheme === undefined || domain === undefined || knownUriParameters.test(parameters)) return undefined;
  // Without a user the grammar takes host and port for user and password first, and some of that stays.
  if (user === undefined && port !== undefined) return undefined;
  const read: Record<string, string | null> = {};
  for (const [key, value] of pairs(parameters)) {
    const name = key.toLowerCase();
    read[name] = (name === 'transport' ? value?.toLowerCase() : value) ?? null;
  }
  const portNumber = port === undefined ? undefined : Number(port);
  // The grammar makes them with a user that is not there and leaves its type to say otherwise.
  return new URI(scheme, user as unknown as string, domain, portNumber, read, {});
}

function readNameAddress(input: string): NameAddrHeader | undefined {
  const [, name, address = '', parameters = ''] = namePattern.exec(input) ?? [];
  const parsed = address === '' ? undefined : readUri(address);
  if (parsed === undefined) return undefined;
  const read: Record<string, string | null> = {};
  for (const [key, value] of pairs(parameters)) {
    if (Object.hasOwn(read, key.toLowerCase())) return undefined;
    read[key.toLowerCase()] = value ?? null;
  }
  return new NameAddrHeader(parsed, name as unknown as string, read as unknown as Record<string, string>);
}

function readVia(input: string): unknown {
  const [, transport, name, number, parameters = ''] = viaPattern.exec(input) ?? [];
  if (transport === undefined) return undefined;
  const via: Record<string, unknown> = { protocol: 'SIP', transport, host_type: hostType(name), host: name };
  if (number !== undefined) via['port'] = Number(number);
  for (const [key, value] of pairs(parameters)) {
    const isPlain = knownViaParameters.includes(key) && value !== undefined && !Object.hasOwn(via, key);
    if (!isPlain || (key === 'rport' && !portPattern.test(value))) return undefined;
    if (key === 'received' && !addressPattern.test(value)) return undefined;
    via[key] = value;
    if (key === 'received') via['host_type'] = 'IPv4';
  }
  return via;
}

function hostType(name: string | undefined): string {
  return /^[0-9]/.test(name ?? '') ? 'IPv4' : 'domain';
}

function readNumber(input: string, digits: number): number | undefined {
  return /^[0-9]+$/.test(input) && input.length <= digits ? Number(input) : undefined;
}

function* pairs(parameters: string): Iterable<readonly [string, string | undefined]> {
  for (const text of parameters.split(';').slice(1)) {
    const equals = text.indexOf('=');
    yield equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
  }
}
