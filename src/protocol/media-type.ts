import { ProtocolError } from '../base/errors.ts';

/** A Content-Type value (RFC 2045 5.1). */
export interface MediaType {
  /** Type and subtype in lower case, for example `multipart/mixed`. */
  readonly type: string;
  /** Names in lower case, values unquoted. */
  readonly parameters: ReadonlyMap<string, string>;
}

const maxCharacters = 2048;
const typePattern = /[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*/y;
const parameterPattern =
  /;[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;",]+))[ \t]*)?/y;
const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * Reads `type/subtype;name=value;name="value"`. A parameter that stands twice is refused: two readers could differ.
 * @throws ProtocolError `malformed`, hint SIP 400
 */
export function parseMediaType(text: string, field = 'Content-Type'): MediaType {
  const fail = (problem: string, offset: number): never => {
    throw new ProtocolError('malformed', problem, {
      field,
      offset,
      expected: 'type/subtype and parameters (RFC 2045 5.1)',
      hint: { sip: 400 },
    });
  };
  if (text.length > maxCharacters) fail('too long', maxCharacters);
  typePattern.lastIndex = 0;
  const type = typePattern.exec(text)?.[1]?.toLowerCase() ?? fail('no media type', 0);
  const parameters = new Map<string, string>();
  for (let offset = typePattern.lastIndex; offset < text.length; offset = parameterPattern.lastIndex) {
    parameterPattern.lastIndex = offset;
    const [, name, quoted, token] = parameterPattern.exec(text) ?? fail('not a parameter', offset);
    if (name === undefined) continue;
    if (parameters.has(name.toLowerCase())) fail('parameter given twice', offset);
    parameters.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? token ?? '');
  }
  return { type, parameters };
}

/** Values that are no token are quoted. @throws ProtocolError `local` for a value with control characters. */
export function formatMediaType(type: string, parameters: Readonly<Record<string, string>> = {}): string {
  return [
    type,
    ...Object.entries(parameters).map(([name, value]) => {
      if (/\p{Cc}/u.test(value))
        throw new ProtocolError('local', 'control character', { field: `Content-Type ${name}` });
      return `${name}=${tokenPattern.test(value) ? value : `"${value.replaceAll(/["\\]/g, '\\$&')}"`}`;
    }),
  ].join(';');
}
