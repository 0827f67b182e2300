import { dataType, idRole } from '../code-points.ts';
import { identityText } from '../identity.ts';
import type { DecodedMessage } from '../message.ts';
import { identityInRole, requiredPayload } from '../payload-access.ts';
import type { Payload } from '../payloads.ts';
import type { Exchange, ProofInputs } from './proof-types.ts';

/** PSK verification message (RFC 3830 6.1). */
const presharedVerification = 1;

/** What is covered besides the message, or in words why that is not known. */
export type Trailer = { readonly octets: readonly Uint8Array[]; readonly text: string } | { readonly unknown: string };

/** What MAC or signature covers besides the message (RFC 6043 5.5, RFC 3830 5.2). Reading [A1]: of identities, ID Data alone. */
export function trailerOf(exchange: Exchange, inputs: ProofInputs): Trailer {
  const { message, question } = exchange;
  const party = (role: PartyRole, given: Uint8Array | undefined): Party => partyOf(message, role, given);
  const initiator = party(idRole.initiator, inputs.initiator);
  const responder = party(idRole.responder, inputs.responder);
  const kms = party(idRole.kms, inputs.kms);
  switch (message.header.dataType) {
    case dataType.requestInitPsk:
    case dataType.requestInitPk:
      return partiesTrailer([initiator, kms]);
    case dataType.resolveInitPsk:
    case dataType.resolveInitPk:
      return partiesTrailer([responder, kms]);
    case dataType.transferInit:
      return partiesTrailer([initiator, responder]);
    case dataType.requestResp:
    case dataType.resolveResp:
    case dataType.transferResp:
    case presharedVerification: {
      if (question === undefined) return { unknown: 'needs the request, which its MAC covers (--request)' };
      if (message.header.dataType !== presharedVerification) {
        return { octets: [question.bytes], text: 'the whole request' };
      }
      // RFC 3830 5.2: the verification message covers the identities and T of the first.
      const timestamp = requiredPayload(question.payloads, 'T');
      const parties = partiesTrailer([initiator, responder]);
      if ('unknown' in parties) return parties;
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

const partyNames = {
  [idRole.initiator]: ['Identity_i', '--initiator'],
  [idRole.responder]: ['Identity_r', '--responder'],
  [idRole.kms]: ['Identity_kms', '--kms'],
} as const;
type PartyRole = keyof typeof partyNames;

/** Reading [A34]: an identity that is left out is known otherwise: given by the caller, or named by the ticket or its policy. */
function partyOf(message: DecodedMessage, role: PartyRole, given: Uint8Array | undefined): Party {
  const [name, option] = partyNames[role];
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
  const octets: Uint8Array[] = [];
  const texts: string[] = [];
  for (const { name, option, data, source } of parties) {
    if (data === undefined) return { unknown: `needs ${name}, which the message leaves out (${option})` };
    octets.push(data);
    texts.push(`${name} (${identityText({ type: 'uri', data })}${source})`);
  }
  return { octets, text: texts.join(' and ') };
}
