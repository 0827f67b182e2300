import { ByteWriter } from '../../../base/byte-writer.ts';
import { SecretBytes } from '../../../base/secret-bytes.ts';
import { dataType, idRole, randRole } from '../code-points.ts';
import { assertProtocolError } from '../../../base/errors.ts';
import { messageLabel, type ExchangeRands, type MessageOrder } from '../derivation.ts';
import { decodeMessage, type DecodedMessage } from '../message.ts';
import { identityInRole, optionalPayload, randInRole, requiredPayload } from '../payload-access.ts';
import { protectionKeys, suiteOfPrf } from '../protection.ts';
import { forkMpkr } from '../ticket-keys.ts';
import { codePointName } from './names.ts';
import type { Candidate, Exchange, ProofInputs, Protection } from './proof-types.ts';
import { proveTicket } from './ticket-proof.ts';

const presharedKey = 0;
const presharedVerification = 1;

/** The keys that may protect a message, by its type (RFC 6043 5.1.2 and 5.5). */
export function protectionOf(exchange: Exchange, inputs: ProofInputs): Protection {
  const { message, question } = exchange;
  const type = message.header.dataType;
  switch (type) {
    case presharedKey:
    case presharedVerification:
      return presharedProtection(exchange, inputs);
    case dataType.requestInitPsk:
    case dataType.requestInitPk:
      return kmsProtection(exchange, inputs, 'initial', { role: randRole.initiator, of: message });
    case dataType.resolveInitPsk:
    case dataType.resolveInitPk:
      return kmsProtection(exchange, inputs, 'initial', { role: randRole.responder, of: message });
    case dataType.requestResp:
      return kmsProtection(exchange, inputs, 'response', { role: randRole.initiator, of: question });
    case dataType.resolveResp:
      return kmsProtection(exchange, inputs, 'response', { role: randRole.responder, of: question });
    case dataType.transferInit:
      return transferInitProtection(exchange, inputs);
    case dataType.transferResp:
      return transferResponseProtection(exchange, inputs);
    case dataType.error:
      // Reading [A13]: an Error takes the keys of the message that it answers.
      return question === undefined
        ? { unknown: 'needs the message that it answers (--request)' }
        : protectionOf({ message: question, question: undefined }, inputs);
    default:
      return { unknown: `no rule here for ${codePointName('dataType', type)}` };
  }
}

function withKeys(
  { message }: Exchange,
  candidates: readonly Candidate[],
  order: MessageOrder,
  rands: ExchangeRands,
): Protection {
  const suite = suiteOfPrf(message.header.prf, 'mikey.HDR.prf');
  return {
    rands,
    candidates: candidates.map(({ secret, name }) => ({
      name,
      keys: protectionKeys(suite, secret, (constant) => messageLabel(constant, message.header.csbId, order, rands)),
    })),
  };
}

function kmsProtection(
  exchange: Exchange,
  inputs: ProofInputs,
  order: MessageOrder,
  rand: { readonly role: number; readonly of: DecodedMessage | undefined },
): Protection {
  if (rand.of === undefined) return { unknown: 'needs the request, which its MAC covers (--request)' };
  const candidates = kmsCandidates(rand.of, inputs);
  if ('unknown' in candidates) return candidates;
  const value = randInRole(rand.of.payloads, rand.role);
  if (value === undefined) return { unknown: `${codePointName('randRole', rand.role)} is missing in the request` };
  const rands = rand.role === randRole.initiator ? { initiator: value } : { responder: value };
  return withKeys(exchange, candidates, order, rands);
}

/** The keys that a user and the KMS may share: a pre-shared one, or the envelope key of a public-key question. */
function kmsCandidates(
  question: DecodedMessage,
  { psk, kmsKey }: ProofInputs,
): readonly Candidate[] | { readonly unknown: string } {
  const given = psk === undefined ? [] : [{ secret: psk, name: '--psk' }];
  const { dataType: type, prf } = question.header;
  if (type !== dataType.requestInitPk && type !== dataType.resolveInitPk) {
    return psk === undefined ? { unknown: 'needs the key shared with the KMS (--psk)' } : given;
  }
  if (kmsKey === undefined) {
    return psk === undefined
      ? { unknown: 'needs the private key of the KMS (--kms-key), or the envelope key (--psk)' }
      : given;
  }
  const suite = suiteOfPrf(prf, 'mikey.HDR.prf');
  const envelope = kmsKey.decryptKey(requiredPayload(question.payloads, 'PKE').data, suite.keyBits / 8);
  return [...given, { secret: new SecretBytes(envelope), name: 'the envelope key of the request (--kms-key)' }];
}

const needsMpk = 'needs MPKi or the MPK of the ticket (--mpk), or the ticket protection key (--tpk)';

function transferInitProtection(exchange: Exchange, inputs: ProofInputs): Protection {
  const { payloads } = exchange.message;
  const ticket = optionalPayload(payloads, 'TICKET');
  const initiator = randInRole(payloads, randRole.initiator);
  if (ticket === undefined || initiator === undefined) return updateProtection(exchange, inputs);
  const { mpki } = proveTicket(ticket, inputs);
  return mpki.length === 0 ? { unknown: needsMpk } : withKeys(exchange, mpki, 'initial', { initiator });
}

function transferResponseProtection(exchange: Exchange, inputs: ProofInputs): Protection {
  const { message, question } = exchange;
  if (question === undefined) return { unknown: 'needs TRANSFER_INIT, which its MAC covers (--request)' };
  const ticket = optionalPayload(question.payloads, 'TICKET');
  const initiator = randInRole(question.payloads, randRole.initiator);
  if (ticket === undefined || initiator === undefined) return updateProtection(exchange, inputs);
  const { flags } = ticket.policy;
  const responder = randInRole(message.payloads, randRole.responder);
  // Reading [A31]: RANDRr enters by the G flag.
  const rands = { initiator, ...(flags.G && responder !== undefined ? { responder } : {}) };
  const { mpki, mpkr } = proveTicket(ticket, inputs);
  const candidates = flags.I ? forkedCandidates(exchange, inputs, mpkr) : mpki;
  return candidates.length === 0 ? { unknown: needsMpk } : withKeys(exchange, candidates, 'response', rands);
}

/** Reading [A20]: both messages of a CSB update take the keys of the last message of the initial exchange, label and all. */
function updateProtection({ message }: Exchange, inputs: ProofInputs): Protection {
  const earlier = (inputs.exchange ?? []).flatMap((bytes) => readEarlier(bytes, message.header.csbId));
  const initial = earlier.find(isInitialTransfer);
  const answer = earlier.find(({ header }) => header.dataType === dataType.transferResp);
  if (initial === undefined) {
    return { unknown: 'is a CSB update, without TICKET or RANDRi: needs the TRANSFER_INIT that began it (--exchange)' };
  }
  const wantsAnswer = optionalPayload(initial.payloads, 'TICKET')?.policy.flags.F === true;
  if (!wantsAnswer) return protectionOf({ message: initial, question: undefined }, inputs);
  if (answer === undefined) {
    return { unknown: 'is a CSB update: needs the TRANSFER_RESP of the initial exchange, too (--exchange)' };
  }
  return protectionOf({ message: answer, question: initial }, inputs);
}

/** What lacks one of the two is an update itself. */
const isInitialTransfer = ({ header, payloads }: DecodedMessage): boolean =>
  header.dataType === dataType.transferInit &&
  payloads.some(({ payload }) => payload === 'TICKET') &&
  payloads.some((payload) => payload.payload === 'RANDR' && payload.role === randRole.initiator);

/** Nothing for what cannot be read or belongs to another bundle. */
function readEarlier(bytes: Uint8Array, csbId: number): readonly DecodedMessage[] {
  try {
    const message = decodeMessage(bytes);
    return message.header.csbId === csbId ? [message] : [];
  } catch (error) {
    assertProtocolError(error);
    return [];
  }
}

/** MPKr' (RFC 6043 5.1.1): what --mpk may be itself, or what MPKr is forked to for the responder that answered. */
function forkedCandidates(
  { message, question }: Exchange,
  inputs: ProofInputs,
  mpkr: readonly Candidate[],
): readonly Candidate[] {
  const given = (inputs.mpks ?? []).map((secret) => ({ secret, name: "--mpk as MPKr'" }));
  const responder =
    identityInRole(message.payloads, idRole.responder)?.data ??
    inputs.responder ??
    (question === undefined ? undefined : identityInRole(question.payloads, idRole.responder)?.data);
  const kmsRand = randInRole(message.payloads, randRole.kms);
  if (responder === undefined || kmsRand === undefined) return given;
  const prf = message.header.prf;
  const forked = mpkr.map(({ secret, name }) => ({
    secret: new SecretBytes(secret.use((octets) => forkMpkr(prf, octets, { responder, kmsRand }))),
    name: `MPKr' forked from ${name}`,
  }));
  return [...given, ...forked];
}

/** RFC 3830 4.1.4 and 5.2: the label ends in the plain RAND, without lengths. */
function presharedProtection({ message, question }: Exchange, { psk }: ProofInputs): Protection {
  const initial = message.header.dataType === presharedKey ? message : question;
  if (initial === undefined) return { unknown: 'needs the message that it answers (--request)' };
  if (psk === undefined) return { unknown: 'needs the pre-shared key (--psk)' };
  const rand = optionalPayload(initial.payloads, 'RAND')?.value;
  if (rand === undefined) return { unknown: 'RAND is missing' };
  const suite = suiteOfPrf(message.header.prf, 'mikey.HDR.prf');
  const keys = protectionKeys(suite, psk, (constant) =>
    new ByteWriter().u32(constant).u8(0xff).u32(message.header.csbId).bytes(rand).finish(),
  );
  return { candidates: [{ keys, name: '--psk' }], rands: {} };
}
