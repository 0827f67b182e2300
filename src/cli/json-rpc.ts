import { z } from 'zod';

/** JSON-RPC 2.0 error numbers, and the words that a program should look at instead (`data.code`). */
const numbers = {
  'parse-error': -32700,
  'line-too-long': -32600,
  'invalid-request': -32600,
  'unknown-method': -32601,
  'invalid-params': -32602,
  internal: -32603,
  'no-such-session': -32001,
  'no-such-message': -32002,
  'no-such-file': -32003,
  'no-such-room': -32004,
  'not-remembered': -32005,
  'no-such-contact': -32006,
  'file-unusable': -32007,
} as const;
export type RpcErrorCode = keyof typeof numbers;

export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: RpcErrorCode;
  readonly field: string | undefined;

  /** @param field the parameter that is wrong, by its path. */
  constructor(code: RpcErrorCode, message: string, field?: string) {
    super(message);
    this.code = code;
    this.field = field;
  }
}

export type RpcId = string | number | null;

export interface RpcRequest {
  /** Undefined for a notification, which gets no answer. */
  readonly id: RpcId | undefined;
  readonly method: string;
  readonly params: unknown;
}

const requestSchema = z.object({
  jsonrpc: z.literal('2.0'),
  id: z.union([z.string(), z.number(), z.null()]).optional(),
  method: z.string(),
  params: z.unknown().optional(),
});

/** @throws RpcError `parse-error` or `invalid-request`. */
export function parseRequest(line: string): RpcRequest {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new RpcError('parse-error', 'This line is not JSON.');
  }
  if (Array.isArray(value)) throw new RpcError('invalid-request', 'Batches are not taken: one object a line.');
  const request = requestSchema.safeParse(value);
  if (!request.success) throw new RpcError('invalid-request', describeIssue(request.error), fieldOf(request.error));
  const { id, method, params } = request.data;
  return { id, method, params: params ?? {} };
}

/** @throws RpcError `invalid-params`, naming the parameter and the rule, never its value. */
export function checkParams<Schema extends z.ZodType>(schema: Schema, params: unknown): z.output<Schema> {
  const checked = schema.safeParse(params);
  if (!checked.success) throw new RpcError('invalid-params', describeIssue(checked.error), fieldOf(checked.error));
  return checked.data;
}

export function resultLine(id: RpcId, result: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id, result });
}

export function notificationLine(method: string, params: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', method, params });
}

export function errorLine(id: RpcId, error: unknown): string {
  const known = error instanceof RpcError ? error : new RpcError('internal', 'Something failed inside; see the log.');
  const data = known.field === undefined ? { code: known.code } : { code: known.code, field: known.field };
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: numbers[known.code], message: known.message, data } });
}

function fieldOf(error: z.ZodError): string {
  return error.issues[0]?.path.map(String).join('.') ?? '';
}

function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  const field = fieldOf(error);
  return `${field === '' ? 'The object' : field}: ${issue?.message ?? 'not valid'}`;
}
