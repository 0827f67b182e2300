import { concatBytes } from '../../../base/bytes.ts';
import { ProtocolError } from '../../../base/errors.ts';
import { constantTimeEqual } from '../../../crypto/constant-time.ts';
import { dataType, encryption, idRole } from '../code-points.ts';
import { identityText, type MikeyIdentity } from '../identity.ts';
import { decodeMessage, type DecodedMessage } from '../message.ts';
import { identityInRole, optionalPayload, requiredPayload } from '../payload-access.ts';
import type { Payload } from '../payloads.ts';
import { computeMac, coveredOctets, openKemac } from '../protection.ts';
import { decodeKeyData } from '../ticket-codec.ts';
import { protectionOf } from './message-protection.ts';
import { codePointName } from './names.ts';
import type { Exchange, Finding, ProofInputs, ProtectionCandidate } from './proof-types.ts';
import { proveInitiatorData, proveTicket } from './ticket-proof.ts';

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
    if (!(error instanceof ProtocolError)) throw error;
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
    if (!(error instanceof ProtocolError)) throw error;
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
    if (!(error instanceof ProtocolError)) throw error;
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
  if (proof.kind === 'signature') {
    const detail = "needs the sender's certificate checked up to a trusted root, which is not done here";
    return { findings: [{ subject: `SIGN of ${name}`, result: 'not checked', detail }] };
  }
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

type Trailer = { readonly octets: readonly Uint8Array[]; readonly text: string } | { readonly unknown: string };

/** What the MAC covers besides the message (RFC 6043 5.5, RFC 3830 5.2). Reading [A1]: of identities, ID Data alone. */
function trailerOf(exchange: Exchange, inputs: ProofInputs): Trailer {
  const { message, question } = exchange;
  const party = (role: number, given: Uint8Array | undefined): Party => partyOf(message, role, given);
  const initiator = party(idRole.initiator, inputs.initiator);
  const responder = party(idRole.responder, inputs.responder);
  const kms = party(idRole.kms, inputs.kms);
  switch (message.header.dataType) {
    case dataType.requestInitPsk:
      return partiesTrailer([initiator, kms]);
    case dataType.resolveInitPsk:
      return partiesTrailer([responder, kms]);
    case dataType.transferInit:
      return partiesTrailer([initiator, responder]);
    case dataType.requestResp:
    case dataType.resolveResp:
    case dataType.transferResp:
      if (question === undefined) return { unknown: 'needs the request, which its MAC covers (--request)' };
      return { octets: [question.bytes], text: 'the whole request' };
    case 1: {
      // RFC 3830 5.2: the verification message covers the identities and T of the first.
      const timestamp = optionalPayload(question?.payloads ?? [], 'T');
      const parties = partiesTrailer([initiator, responder]);
      if ('unknown' in parties || timestamp === undefined) return 'unknown' in parties ? parties : { unknown: 'no T' };
      return { octets: [...parties.octets, timestamp.value], text: `${parties.text} and T of the request` };
    }
    default:
      return { octets: [], text: 'nothing else' };
  }
}

interface Party {
  readonly name: string;
  readonly option: string;
  readonly data: Uint8Array | undefined;
  readonly source: string;
}

const partyNames: Readonly<Record<number, readonly [name: string, option: string]>> = {
  [idRole.initiator]: ['Identity_i', '--initiator'],
  [idRole.responder]: ['Identity_r', '--responder'],
  [idRole.kms]: ['Identity_kms', '--kms'],
};

/** Reading [A34]: an identity that is left out is known otherwise: given by the caller, or named by the ticket or its policy. */
function partyOf(message: DecodedMessage, role: number, given: Uint8Array | undefined): Party {
  const [name, option] = partyNames[role] ?? ['Identity', ''];
  const own = identityInRole(message.payloads, role);
  if (own !== undefined) return { name, option, data: own.data, source: '' };
  if (given !== undefined) return { name, option, data: given, source: `, from ${option}` };
  const policyParties = message.payloads.flatMap(policyParameters);
  const named = policyParties.filter((payload) => payload.payload === 'IDR' && payload.role === role);
  const only = named.length === 1 ? identityInRole(named, role) : undefined;
  return { name, option, data: only?.data, source: ', from the policy' };
}

const policyParameters = (payload: Payload): readonly Payload[] =>
  payload.payload === 'TICKET' || payload.payload === 'TP' ? payload.policy.parameters : [];

function partiesTrailer(parties: readonly Party[]): Trailer {
  const missing = parties.find(({ data }) => data === undefined);
  if (missing !== undefined)
    return { unknown: `needs ${missing.name}, which the message leaves out (${missing.option})` };
  const octets = parties.map(({ data }) => data ?? new Uint8Array());
  const texts = parties.map(({ name, data, source }) => {
    const identity: MikeyIdentity = { type: 'uri', data: data ?? new Uint8Array() };
    return `${name} (${identityText(identity)}${source})`;
  });
  return { octets, text: texts.join(' and ') };
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
    if (!(error instanceof ProtocolError)) throw error;
    return { findings: [{ subject, result: 'failed', detail: error.message }] };
  }
}
