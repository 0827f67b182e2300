import { ProtocolError } from '../../base/errors.ts';

/** `m=<media> <port>[/<number of ports>] <protocol> <format> ...` (RFC 8866 clause 5.14). */
export interface MediaLine {
  readonly media: string;
  /** 0 refuses or removes the stream (RFC 3264 clause 6); 9 stands for a side that only connects (RFC 4145). */
  readonly port: number;
  readonly numberOfPorts?: number;
  readonly protocol: string;
  readonly formats: readonly string[];
}

const pattern = /^([^\s/]+) +(\d{1,5})(?:\/(\d{1,5}))? +([^\s]+)((?: +[^\s]+)+) *$/;

/** @param offset octet offset of the line in the body, for the error. @throws ProtocolError `malformed`, hint SIP 400. */
export function readMediaLine(value: string, offset = 0): MediaLine {
  const match = pattern.exec(value);
  const [, media, port, numberOfPorts, protocol, formats] = match ?? [];
  if (media === undefined || protocol === undefined || formats === undefined || Number(port) > 65535) {
    throw new ProtocolError('malformed', 'not a media line', {
      field: 'sdp.m',
      offset,
      expected: 'media, port up to 65535, protocol, formats',
      hint: { sip: 400 },
    });
  }
  return {
    media,
    port: Number(port),
    ...(numberOfPorts === undefined ? {} : { numberOfPorts: Number(numberOfPorts) }),
    protocol,
    formats: formats.trim().split(/ +/),
  };
}

export function formatMediaLine(line: MediaLine): string {
  const ports = line.numberOfPorts === undefined ? '' : `/${line.numberOfPorts}`;
  return `${line.media} ${line.port}${ports} ${line.protocol} ${line.formats.join(' ')}`;
}
