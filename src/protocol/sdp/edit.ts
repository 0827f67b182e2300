import { ProtocolError } from '../../base/errors.ts';
import { formatMediaLine, readMediaLine, type MediaLine } from './media-line.ts';
import type { MediaSection, SdpLine, SessionDescription } from './session-description.ts';

/** Values of all `a=<name>:<value>` lines in order; a flag (`a=<name>`) counts as the empty string. */
export function attributeValues(lines: readonly SdpLine[], name: string): string[] {
  const prefix = `${name}:`;
  return lines
    .filter((line) => line.type === 'a' && (line.value === name || line.value.startsWith(prefix)))
    .map((line) => line.value.slice(prefix.length));
}

/** Value of the first such attribute, '' for a flag, undefined when there is none. */
export function attribute(lines: readonly SdpLine[], name: string): string | undefined {
  return attributeValues(lines, name)[0];
}

export function hasAttribute(lines: readonly SdpLine[], name: string): boolean {
  return attribute(lines, name) !== undefined;
}

export function attributeLine(name: string, value?: string): SdpLine {
  return { type: 'a', value: value === undefined ? name : `${name}:${value}` };
}

export function withoutAttribute<T extends MediaSection>(section: T, name: string): T {
  const isOther = (line: SdpLine): boolean =>
    line.type !== 'a' || (line.value !== name && !line.value.startsWith(`${name}:`));
  return { ...section, lines: section.lines.filter(isOther) };
}

/** Replaces every attribute of that name by one with `values` each (in order), placed last. */
export function withAttribute<T extends MediaSection>(section: T, name: string, ...values: readonly string[]): T {
  const added = values.length === 0 ? [attributeLine(name)] : values.map((value) => attributeLine(name, value));
  const rest = withoutAttribute(section, name);
  return { ...rest, lines: [...rest.lines, ...added] };
}

export function mediaLine(section: MediaSection): MediaLine {
  return readMediaLine(section.lines[0]?.value ?? '');
}

export function withMediaLine<T extends MediaSection>(section: T, changes: Partial<MediaLine>): T {
  const line = { type: 'm', value: formatMediaLine({ ...mediaLine(section), ...changes }) };
  return { ...section, lines: [line, ...section.lines.slice(1)] };
}

/** The connection address of a media section, from its own `c=` line or else the session's (RFC 8866 clause 5.7). */
export function connectionAddress(section: MediaSection, description?: SessionDescription): string | undefined {
  const line = [...section.lines, ...(description?.session ?? [])].find(({ type }) => type === 'c');
  if (line === undefined) return undefined;
  const match = /^IN +IP[46] +([^\s/]+)(?:\/\d+){0,2} *$/.exec(line.value);
  if (match?.[1] === undefined) {
    throw new ProtocolError('malformed', 'not a connection line', {
      field: 'sdp.c',
      expected: 'IN IP4 or IN IP6 and an address',
      hint: { sip: 400 },
    });
  }
  return match[1];
}

/** Gives the section its own `c=` line, directly after `m=` and `i=`, replacing the ones it had. */
export function withConnectionAddress<T extends MediaSection>(section: T, address: string): T {
  const others = section.lines.filter(({ type }) => type !== 'c');
  const position = others[1]?.type === 'i' ? 2 : 1;
  return { ...section, lines: [...others.slice(0, position), connectionLine(address), ...others.slice(position)] };
}

export function connectionLine(address: string): SdpLine {
  return { type: 'c', value: `IN ${addressType(address)} ${address}` };
}

/** RFC 3264 clause 6: a refused stream is answered in its place with port zero. */
export function refusedMedia(section: MediaSection): MediaSection {
  const { media, protocol, formats } = mediaLine(section);
  return { lines: [{ type: 'm', value: formatMediaLine({ media, port: 0, protocol, formats }) }] };
}

export interface SessionOptions {
  /** Numeric session id and version of the `o=` line, below 2^63 in decimal. */
  readonly id: string;
  readonly version: string;
  /** Address of this host. */
  readonly address: string;
  readonly media: readonly MediaSection[];
}

/** A whole description around media sections; user name and session name are `-` (RFC 8866 clauses 5.2, 5.3). */
export function createSessionDescription({ id, version, address, media }: SessionOptions): SessionDescription {
  const session = [
    { type: 'v', value: '0' },
    { type: 'o', value: `- ${id} ${version} IN ${addressType(address)} ${address}` },
    { type: 's', value: '-' },
    connectionLine(address),
    { type: 't', value: '0 0' },
  ];
  return { session, media };
}

function addressType(address: string): 'IP4' | 'IP6' {
  return address.includes(':') ? 'IP6' : 'IP4';
}
