import { assertProtocolError } from '../../../base/errors.ts';
import { SecretBytes } from '../../../base/secret-bytes.ts';
import { constantTimeEqual } from '../../../crypto/constant-time.ts';
import { readInitiatorData, splitMpk, verifyInitiatorData } from '../base-ticket.ts';
import { ticketCsbId, ticketLabel } from '../derivation.ts';
import { requiredPayload } from '../payload-access.ts';
import type { TicketPayload } from '../payloads.ts';
import { computeMac, openKemac, protectionKeys, suiteOfPrf } from '../protection.ts';
import { decodeTicketData, encodeCoveredTicket } from '../ticket-codec.ts';
import { readKeyList } from '../ticket-keys.ts';
import { codePointName } from './names.ts';
import type { Candidate, Finding, ProofInputs } from './proof-types.ts';

export interface TicketProof {
  readonly findings: readonly Finding[];
  /** Content of the ticket's KEMAC. */
  readonly plaintext?: Uint8Array;
  /** Secrets that can be MPKi or MPKr of this ticket. */
  readonly mpki: readonly Candidate[];
  readonly mpkr: readonly Candidate[];
}

/** Checks a base ticket (RFC 6043 appendix A) with the TPK, and gathers what may protect a message that carries it. */
export function proveTicket(ticket: TicketPayload, inputs: ProofInputs): TicketProof {
  const opened = openTicket(ticket, inputs.tpk);
  const fromTicket = opened.mpk === undefined ? [] : [{ secret: opened.mpk, name: 'the MPK in the ticket (--tpk)' }];
  const given = (inputs.mpks ?? []).map((secret) => ({ secret, name: '--mpk' }));
  const derived = [...given.map(asTicketMpk), ...fromTicket].flatMap((candidate) => splitCandidate(ticket, candidate));
  return {
    findings: opened.findings,
    ...(opened.plaintext === undefined ? {} : { plaintext: opened.plaintext }),
    mpki: [...given.map(({ secret }) => ({ secret, name: '--mpk as MPKi' })), ...derived.map(({ mpki }) => mpki)],
    mpkr: [...given.map(({ secret }) => ({ secret, name: '--mpk as MPKr' })), ...derived.map(({ mpkr }) => mpkr)],
  };
}

const asTicketMpk = ({ secret }: Candidate): Candidate => ({ secret, name: 'the MPK of the ticket (--mpk)' });

function splitCandidate(
  ticket: TicketPayload,
  { secret, name }: Candidate,
): readonly { readonly mpki: Candidate; readonly mpkr: Candidate }[] {
  try {
    const rand = requiredPayload(decodeTicketData(ticket.ticketData), 'RAND').value;
    suiteOfPrf(ticket.policy.prf, 'mikey.policy.prf');
    const { mpki, mpkr } = secret.use((octets) => splitMpk(ticket.policy.prf, octets, rand));
    return [
      {
        mpki: { secret: new SecretBytes(mpki), name: `MPKi of ${name}` },
        mpkr: { secret: new SecretBytes(mpkr), name: `MPKr of ${name}` },
      },
    ];
  } catch (error) {
    assertProtocolError(error);
    return [];
  }
}

interface OpenedForProof {
  readonly findings: readonly Finding[];
  readonly plaintext?: Uint8Array;
  readonly mpk?: SecretBytes;
}

function openTicket(ticket: TicketPayload, tpk: SecretBytes | undefined): OpenedForProof {
  const subject = 'V of the ticket';
  if (tpk === undefined) {
    return { findings: [{ subject, result: 'not checked', detail: 'needs the ticket protection key (--tpk)' }] };
  }
  try {
    const suite = suiteOfPrf(ticket.policy.prf, 'mikey.policy.prf');
    const payloads = decodeTicketData(ticket.ticketData);
    const rand = requiredPayload(payloads, 'RAND').value;
    const keys = protectionKeys(suite, tpk, (constant) => ticketLabel(constant, 'tpk', rand));
    const verification = requiredPayload(payloads, 'V');
    const covered = encodeCoveredTicket(ticket);
    const mac = computeMac(
      suite.mac,
      keys.authentication(),
      covered.subarray(0, covered.length - verification.mac.length),
    );
    if (payloads.at(-1) !== verification || !constantTimeEqual(mac, verification.mac)) {
      const detail = 'does not hold with --tpk: another key, or the ticket was changed; its keys are not deciphered';
      return { findings: [{ subject, result: 'failed', detail }] };
    }
    const verified: Finding = {
      subject,
      result: 'verified',
      detail: `${codePointName('mac', suite.mac)} with --tpk, over policy and Ticket Data`,
    };
    return {
      ...decipherTicket(verified, () => {
        const timestamp = requiredPayload(payloads, 'T');
        const plaintext = openKemac(requiredPayload(payloads, 'KEMAC'), keys, ticketCsbId, timestamp);
        const { mpks } = readKeyList(plaintext, 1, suite);
        return { plaintext, mpk: mpks[0].key };
      }),
    };
  } catch (error) {
    assertProtocolError(error);
    return { findings: [{ subject, result: 'not checked', detail: error.message }] };
  }
}

function decipherTicket(
  verified: Finding,
  decipher: () => { readonly plaintext: Uint8Array; readonly mpk: Uint8Array },
): OpenedForProof {
  const subject = 'KEMAC of the ticket';
  try {
    const { plaintext, mpk } = decipher();
    return {
      findings: [verified, { subject, result: 'deciphered', detail: 'with --tpk' }],
      plaintext,
      mpk: new SecretBytes(mpk),
    };
  } catch (error) {
    assertProtocolError(error);
    return { findings: [verified, { subject, result: 'failed', detail: error.message }] };
  }
}

/** Initiator Data (RFC 6043 6.10): Vi repeats the MAC of TRANSFER_INIT, Vr proves the holder of MPKr. */
export function proveInitiatorData(
  ticket: TicketPayload,
  mpkr: readonly Candidate[],
  messageMac: Uint8Array | undefined,
): Finding[] {
  if (ticket.initiatorData.length === 0) return [];
  try {
    const { vi } = readInitiatorData(ticket.initiatorData);
    return [...(messageMac === undefined ? [] : [viFinding(vi, messageMac)]), vrFinding(ticket, mpkr)];
  } catch (error) {
    assertProtocolError(error);
    return [{ subject: 'Initiator Data', result: 'not checked', detail: error.message }];
  }
}

function viFinding(vi: Uint8Array, messageMac: Uint8Array): Finding {
  const same = constantTimeEqual(vi, messageMac);
  const detail = same
    ? 'is the MAC of V of this message (compared only: whether V holds stands above)'
    : 'is not the MAC of V: the Initiator Data belongs to another message';
  return { subject: 'Vi', result: same ? 'verified' : 'failed', detail };
}

function vrFinding(ticket: TicketPayload, mpkr: readonly Candidate[]): Finding {
  const subject = 'Vr';
  if (mpkr.length === 0) {
    return { subject, result: 'not checked', detail: 'needs MPKr, or the MPK of the ticket (--mpk, --tpk)' };
  }
  const suite = suiteOfPrf(ticket.policy.prf, 'mikey.policy.prf');
  const holds = mpkr.find(({ secret }) => {
    try {
      secret.use((octets) => verifyInitiatorData(suite, octets, ticket.initiatorData));
      return true;
    } catch (error) {
      assertProtocolError(error);
      return false;
    }
  });
  if (holds !== undefined) return { subject, result: 'verified', detail: `with ${holds.name}` };
  // One MPKi alone says nothing about Vr.
  return { subject, result: 'not checked', detail: 'no given key is its MPKr, or it was changed' };
}
