import { concatBytes } from '../../../base/bytes.ts';
import { assertProtocolError, type ProtocolError } from '../../../base/errors.ts';
import { constantTimeEqual } from '../../../crypto/constant-time.ts';
import { dataType, encryption } from '../code-points.ts';
import { decodeMessage, type DecodedMessage } from '../message.ts';
import { optionalPayload, requiredPayload } from '../payload-access.ts';
import { computeMac, coveredOctets, openKemac } from '../protection.ts';
import { decodeKeyData } from '../ticket-codec.ts';
import { protectionOf } from './message-protection.ts';
import { codePointName } from './names.ts';
import type { Exchange, Finding, ProofInputs, ProtectionCandidate } from './proof-types.ts';
import { proveSignature } from './signature-proof.ts';
import { proveInitiatorData, proveTicket } from './ticket-proof.ts';
import { trailerOf } from './trailer.ts';

export interface Proofs {
  readonly findings: readonly Finding[];
  readonly deciphered: { readonly message?: Uint8Array; readonly ticket?: Uint8Array };
  /** Why the strict codec refuses the message. */
  readonly refusal?: ProtocolError;
}

/** Checks whatever the inputs allow to check of a message, and says of everything else why not. */
export function proveMessage(bytes: Uint8Array, inputs: ProofInputs): Proofs {
  let message: DecodedMessage;
  try {
    message = decodeMessage(bytes);
  } catch (error) {
    assertProtocolError(error);
    const detail = 'the message is not whole, so nothing can be verified in it';
    return { findings: [{ subject: 'MAC', result: 'not checked', detail }], deciphered: {}, refusal: error };
  }
  const request = readRequest(message, inputs.request);
  const proven = caught('MAC', () => proveProtection({ message, question: request.question }, inputs));
  const ticket = caught('TICKET', () => proveTicketOf(message, inputs));
  return {
    findings: [...request.findings, ...proven.findings, ...ticket.findings],
    deciphered: {
      ...(proven.plaintext === undefined ? {} : { message: proven.plaintext }),
      ...(ticket.plaintext === undefined ? {} : { ticket: ticket.plaintext }),
    },
  };
}

interface Proven {
  readonly findings: readonly Finding[];
  readonly plaintext?: Uint8Array;
}

/** A message that is whole may still lack or double what a proof needs. */
function caught(subject: string, prove: () => Proven): Proven {
  try {
    return prove();
  } catch (error) {
    assertProtocolError(error);
    return { findings: [{ subject, result: 'not checked', detail: error.message }] };
  }
}

/** The data types that a message may answer; whatever it is, an Error may answer it. */
const questionTypes: Readonly<Record<number, readonly number[]>> = {
  1: [0],
  [dataType.requestResp]: [dataType.requestInitPsk, dataType.requestInitPk],
  [dataType.transferResp]: [dataType.transferInit],
  [dataType.resolveResp]: [dataType.resolveInitPsk, dataType.resolveInitPk],
};

function readRequest(
  message: DecodedMessage,
  bytes: Uint8Array | undefined,
): { readonly question: DecodedMessage | undefined; readonly findings: readonly Finding[] } {
  if (bytes === undefined) return { question: undefined, findings: [] };
  const refuse = (detail: string) => ({
    question: undefined,
    findings: [{ subject: '--request', result: 'not checked', detail } as const],
  });
  const type = message.header.dataType;
  try {
    const question = decodeMessage(bytes);
    const asked = question.header.dataType;
    if (type !== dataType.error && questionTypes[type]?.includes(asked) !== true) {
      return refuse(`${codePointName('dataType', type)} does not answer ${codePointName('dataType', asked)}`);
    }
    if (question.header.csbId !== message.header.csbId) return refuse('has another CSB ID than the message');
    return { question, findings: [] };
  } catch (error) {
    assertProtocolError(error);
    return refuse(`cannot be read: ${error.message}`);
  }
}

function proveTicketOf(message: DecodedMessage, inputs: ProofInputs): Proven {
  const ticket = optionalPayload(message.payloads, 'TICKET');
  if (ticket === undefined) return { findings: [] };
  const { findings, plaintext, mpkr } = proveTicket(ticket, inputs);
  const last = message.payloads.at(-1);
  const isTransfer = message.header.dataType === dataType.transferInit;
  const initiatorData = proveInitiatorData(ticket, mpkr, isTransfer && last?.payload === 'V' ? last.mac : undefined);
  return { findings: [...findings, ...initiatorData], ...(plaintext === undefined ? {} : { plaintext }) };
}

function proveProtection(exchange: Exchange, inputs: ProofInputs): Proven {
  const { message } = exchange;
  const name = codePointName('dataType', message.header.dataType);
  const proof = proofOf(message);
  if (proof.kind === 'signature') return { findings: proveSignature(exchange, inputs) };
  if (proof.kind === 'none') {
    return { findings: [{ subject: name, result: 'not checked', detail: 'nothing protects it: no V, SIGN or MAC' }] };
  }
  const subject = `${proof.kind} of ${name}`;
  const protection = protectionOf(exchange, inputs);
  if ('unknown' in protection) return { findings: [{ subject, result: 'not checked', detail: protection.unknown }] };
  const trailer = trailerOf(exchange, inputs);
  if ('unknown' in trailer) return { findings: [{ subject, result: 'not checked', detail: trailer.unknown }] };
  const covered = concatBytes(proof.covered, ...trailer.octets);
  const holds = protection.candidates.find(({ keys }) =>
    constantTimeEqual(computeMac(proof.algorithm, keys.authentication(), covered), proof.mac),
  );
  if (holds === undefined) {
    const tried = protection.candidates.map((candidate) => candidate.name).join('; ');
    const detail = `does not hold with ${tried}, over the message and ${trailer.text}: another key, or something was changed`;
    return { findings: [{ subject, result: 'failed', detail }] };
  }
  const algorithm = codePointName('mac', proof.algorithm);
  const detail = `${algorithm} with ${holds.name}, over the message and ${trailer.text}`;
  const deciphered = decipher(message, name, holds);
  return { ...deciphered, findings: [{ subject, result: 'verified', detail }, ...deciphered.findings] };
}

type MessageProof =
  | { readonly kind: 'none' }
  | { readonly kind: 'signature' }
  | {
      readonly kind: 'V' | 'MAC';
      readonly algorithm: number;
      readonly mac: Uint8Array;
      readonly covered: Uint8Array;
    };

function proofOf(message: DecodedMessage): MessageProof {
  const last = message.payloads.at(-1);
  if (last?.payload === 'SIGN') return { kind: 'signature' };
  if (last?.payload === 'V' && last.mac.length > 0) {
    const covered = coveredOctets(message, message.header.dataType === dataType.transferInit);
    return { kind: 'V', algorithm: last.macAlgorithm, mac: last.mac, covered };
  }
  if (last?.payload === 'KEMAC' && last.mac.length > 0) {
    // RFC 3830 5.2: the MAC of KEMAC covers everything before it.
    const covered = message.bytes.subarray(0, message.bytes.length - last.mac.length);
    return { kind: 'MAC', algorithm: last.macAlgorithm, mac: last.mac, covered };
  }
  return { kind: 'none' };
}

function decipher(message: DecodedMessage, name: string, { keys, name: keyName }: ProtectionCandidate): Proven {
  const subject = `KEMAC of ${name}`;
  const kemac = optionalPayload(message.payloads, 'KEMAC');
  if (kemac === undefined) return { findings: [] };
  if (kemac.encryption === encryption.null) {
    return { findings: [{ subject, result: 'not checked', detail: 'is not enciphered' }] };
  }
  try {
    const plaintext = openKemac(kemac, keys, message.header.csbId, requiredPayload(message.payloads, 'T'));
    const count = decodeKeyData(plaintext).length;
    return {
      findings: [
        { subject, result: 'deciphered', detail: `with ${keyName}: ${count} ${count === 1 ? 'key' : 'keys'}` },
      ],
      plaintext,
    };
  } catch (error) {
    assertProtocolError(error);
    return { findings: [{ subject, result: 'failed', detail: error.message }] };
  }
}
