import { ProtocolError } from '../../base/errors.ts';
import { SipHeaders } from '../../protocol/sip/message.ts';
import type { MessageAnswer } from './types.ts';
import { encodeBody } from './wire-translation.ts';

/** What SIP.js takes for an answer. */
export interface AnswerOptions {
  readonly statusCode: number;
  readonly reasonPhrase?: string;
  readonly extraHeaders: string[];
  readonly body?: { readonly contentDisposition: string; readonly contentType: string; readonly content: string };
}

export function answerOptions(
  status: number,
  answer: MessageAnswer,
  moreHeaders: readonly string[] = [],
): AnswerOptions {
  const { reason, headers, contentType, body } = answer;
  return {
    statusCode: status,
    ...(reason === undefined ? {} : { reasonPhrase: oneLine(reason) }),
    extraHeaders: [...headerLines(headers ?? {}), ...moreHeaders],
    ...(body === undefined || contentType === undefined
      ? {}
      : { body: { contentDisposition: 'render', contentType, content: encodeBody(body) } }),
  };
}

/** @throws ProtocolError `local` for a name or value that would break out of its line. */
export function headerLines(headers: Readonly<Record<string, string>>): string[] {
  const checked = new SipHeaders();
  for (const [name, value] of Object.entries(headers)) checked.add(name, value);
  return checked.fields.map(({ name, value }) => `${name}: ${value}`);
}

/** RFC 3261 clause 20.43, code 399: text for people. */
export function warningLine(text: string): string {
  return `Warning: 399 tessera "${oneLine(text).replace(/["\\]/g, "'")}"`;
}

/** The texts of Warning headers, joined. */
export function warningText(values: readonly string[]): string | undefined {
  const texts = values
    .map(oneLine)
    .map((value) => /"((?:[^"\\]|\\.)*)"/.exec(value)?.[1]?.replace(/\\(.)/g, '$1') ?? value);
  return texts.length === 0 ? undefined : texts.join('; ');
}

/** @throws ProtocolError `local`. */
export function checkStatus(status: number, ranges: readonly (readonly [number, number])[]): void {
  if (!ranges.some(([from, to]) => status >= from && status <= to)) {
    throw new ProtocolError('local', `cannot answer ${status}`, { field: 'sip.status', expected: 'a final status' });
  }
}

function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, 300);
}
