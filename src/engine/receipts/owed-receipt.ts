import { protectionLevels, type ProtectionLevel } from '../../base/protection-level.ts';
import type { ImdnKind, ImdnStatus } from '../../protocol/imdn/index.ts';
import type { Note } from '../store/index.ts';

/** A notification that is due to the sender of a message (RFC 5438). */
export interface OwedReceipt {
  /** KMS user identity of the sender. */
  readonly peer: string;
  /** The sender's id of the message. */
  readonly messageId: string;
  readonly kind: Exclude<ImdnKind, 'processing'>;
  readonly status: ImdnStatus;
  /** The message came end to end: so does this, or not at all. */
  readonly sealed: boolean;
  /** Of the message: this never goes with less. */
  readonly level: ProtectionLevel;
  /** DateTime of the message or, where it had none, when it came; milliseconds since 1970. */
  readonly sentAt: number;
  readonly subject?: string;
  readonly originalTo?: string;
  /** IMDN-Record-Route of the message, in its order. */
  readonly route: readonly string[];
  /** When it became due, milliseconds since 1970. */
  readonly since: number;
}

const kinds = ['delivery', 'display'] as const;
const statuses: readonly ImdnStatus[] = ['delivered', 'displayed', 'failed', 'forbidden', 'error'];

/** One for each message, kind and status: what is due already is not due twice. */
export function receiptKey({ peer, messageId, kind, status }: OwedReceipt): string {
  return `${peer} ${kind} ${status} ${messageId}`;
}

export function receiptNote(receipt: OwedReceipt): Note {
  return { ...receipt, route: [...receipt.route] };
}

/** Undefined for what this program has not written. */
export function receiptOfNote(note: Note | undefined): OwedReceipt | undefined {
  if (typeof note !== 'object' || note === null || Array.isArray(note)) return undefined;
  const fields = note as Readonly<Record<string, Note | undefined>>;
  const { peer, messageId, sealed, sentAt, subject, originalTo, route, since } = fields;
  const kind = kinds.find((one) => one === fields['kind']);
  const status = statuses.find((one) => one === fields['status']);
  const level = protectionLevels.find((one) => one === fields['level']);
  if (typeof peer !== 'string' || typeof messageId !== 'string' || kind === undefined || status === undefined)
    return undefined;
  if (level === undefined || typeof sentAt !== 'number' || typeof since !== 'number') return undefined;
  const stops = Array.isArray(route) ? (route as readonly Note[]) : [];
  return {
    peer,
    messageId,
    kind,
    status,
    sealed: sealed === true,
    level,
    sentAt,
    ...(typeof subject === 'string' ? { subject } : {}),
    ...(typeof originalTo === 'string' ? { originalTo } : {}),
    route: stops.filter((stop): stop is string => typeof stop === 'string'),
    since,
  };
}
