import { ByteReader } from '../../../base/byte-reader.ts';
import { assertProtocolError } from '../../../base/errors.ts';
import type { ReadTree } from '../../../base/tree-reader.ts';
import type { TicketPayload } from '../payloads.ts';
import { payloadCodecs } from '../ticket-codec.ts';
import { codePointName, type CodePointSpace } from './names.ts';
import { lonePayloadTree, mikeyMessageTree } from './message-tree.ts';
import type { Finding, ProofInputs } from './proof-types.ts';
import { proveMessage } from './proofs.ts';
import { proveTicket } from './ticket-proof.ts';

export interface MikeyInspectionOptions extends ProofInputs {
  /** Shows keys that are deciphered here. Keys that stand in clear in a message are never shown. */
  readonly showKeys?: boolean;
}

export interface MikeyInspection extends ReadTree {
  readonly findings: readonly Finding[];
  /** What the strict codec says, which reads before anything is acted on; absent when it accepts the input. */
  readonly refusal?: string;
}

/** Looks at any MIKEY message. Never throws for its input. */
export function inspectMessage(bytes: Uint8Array, options: MikeyInspectionOptions): MikeyInspection {
  const { now, showKeys = false } = options;
  const { findings, deciphered, refusal } = proveMessage(bytes, options);
  const read = mikeyMessageTree(bytes, { now, showKeys, deciphered });
  return { ...read, findings, ...(refusal === undefined ? {} : { refusal: refusal.message }) };
}

/**
 * Looks at a TICKET or TP payload that stands alone.
 * @param hasNextPayload whether the octet that every payload of a message begins with is there.
 */
export function inspectLonePayload(
  bytes: Uint8Array,
  kind: 'TICKET' | 'TP',
  hasNextPayload: boolean,
  options: MikeyInspectionOptions,
): MikeyInspection {
  const { now, showKeys = false } = options;
  const body = hasNextPayload ? bytes.subarray(1) : bytes;
  let ticket: TicketPayload | undefined;
  let refusal: string | undefined;
  try {
    const reader = new ByteReader(body, bytes.length - body.length);
    const payload = payloadCodecs[kind]?.read(reader);
    reader.expectEnd(`mikey.${kind}`);
    if (payload?.payload === 'TICKET') ticket = payload;
  } catch (error) {
    assertProtocolError(error);
    refusal = error.message;
  }
  const proof = ticket === undefined ? undefined : proveTicket(ticket, options);
  const plaintext = proof?.plaintext;
  const read = lonePayloadTree(bytes, kind, hasNextPayload, { now, showKeys, deciphered: { ticket: plaintext } });
  return { ...read, findings: proof?.findings ?? [], ...(refusal === undefined ? {} : { refusal }) };
}

/** What octets are in MIKEY's own terms; a `payload` begins with the Next Payload octet that it has in a message. */
export type MikeyShape = 'message' | 'ticket' | 'payload TICKET' | 'policy' | 'payload TP';

/** The shape of octets of unknown origin; `undefined` when they begin like nothing of MIKEY. */
export function mikeyShapeOf(bytes: Uint8Array): MikeyShape | undefined {
  if (isTicketType(bytes)) return hasTail(bytes) ? 'ticket' : 'policy';
  // Before "message": a TICKET before a KEMAC begins like a Pre-shared message that has no T, which is none.
  if (isTicketType(bytes.subarray(1))) return hasTail(bytes.subarray(1)) ? 'payload TICKET' : 'payload TP';
  const [version, type = 0, next = 0] = bytes;
  return version === 1 && isKnown('dataType', type) && isKnown('nextPayload', next) ? 'message' : undefined;
}

const isKnown = (space: CodePointSpace, value: number): boolean =>
  !['unassigned', 'private use'].includes(codePointName(space, value));

/** Ticket Type, Subtype 1, Version 1 (RFC 6043 A.1). */
function isTicketType(bytes: Uint8Array): boolean {
  const [high, low = 0, subtype, version] = bytes;
  return high === 0 && (low === 1 || low === 2) && subtype === 1 && version === 1;
}

/** More follows the policy than a TP has. */
function hasTail(policy: Uint8Array): boolean {
  const [high = 0, low = 0] = policy.subarray(7, 9);
  return policy.length > 9 + high * 256 + low;
}
