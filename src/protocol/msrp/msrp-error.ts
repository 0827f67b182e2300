import { ProtocolError } from '../../base/errors.ts';

/** A frame or header that breaks the grammar of RFC 4975 section 9; the peer's answer is 400. */
export function malformedMsrp(field: string, offset: number, problem: string, expected: string): ProtocolError {
  return new ProtocolError('malformed', problem, { field: `msrp.${field}`, offset, expected, hint: { msrp: 400 } });
}

/** Something our own caller asked for that cannot be put into a frame. */
export function impossibleMsrp(field: string, problem: string, expected: string): ProtocolError {
  return new ProtocolError('local', problem, { field: `msrp.${field}`, expected });
}

/** RFC 4975 section 9: utf8text has no control character but HTAB; one would break the line it stands in. */
export function hasControlCharacter(line: string): boolean {
  return /[^\t -~\u0080-\uffff]/.test(line);
}
