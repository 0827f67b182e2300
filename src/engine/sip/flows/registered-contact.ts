import { assertProtocolError } from '../../../base/errors.ts';
import { parseNameAddress, splitHeaderList } from '../../../protocol/sip/headers.ts';
import type { SipHeaders } from '../../../protocol/sip/message.ts';
import type { Gruus } from '../types.ts';

/** What a 200 to REGISTER says about our flow, beside how long it lasts. */
export interface RegisteredContact {
  /** RFC 5626 clause 4.2.1: registrar and edge keep the flow. */
  readonly isOutbound: boolean;
  /** Seconds. */
  readonly flowTimer: number | undefined;
  readonly gruu: Gruus | undefined;
}

const longestFlowTimer = 24 * 3_600;

/** @param contactUser user part of our Contact, random. */
export function readRegisteredContact(headers: SipHeaders, contactUser: string): RegisteredContact {
  const required = headers.getAll('Require').flatMap(splitHeaderList);
  const [, seconds] = /^\s*(\d{1,6})\s*$/.exec(headers.get('Flow-Timer') ?? '') ?? [];
  const timer = Number(seconds);
  return {
    isOutbound: required.some((tag) => tag.toLowerCase() === 'outbound'),
    flowTimer: seconds === undefined || timer === 0 ? undefined : Math.min(timer, longestFlowTimer),
    gruu: readGruus(headers, contactUser),
  };
}

/** RFC 5627 clause 3.2: `pub-gruu` and `temp-gruu` of the Contact that is ours. */
function readGruus(headers: SipHeaders, contactUser: string): Gruus | undefined {
  for (const contact of headers.getAll('Contact').flatMap(splitHeaderList)) {
    try {
      const { uri, parameters } = parseNameAddress(contact, 'sip.Contact');
      if (!uri.toLowerCase().includes(`:${contactUser}@`)) continue;
      const [open, temporary] = ['pub-gruu', 'temp-gruu'].map((name) => gruuOf(parameters.get(name)));
      if (open === undefined && temporary === undefined) return undefined;
      return { ...(open === undefined ? {} : { public: open }), ...(temporary === undefined ? {} : { temporary }) };
    } catch (error) {
      assertProtocolError(error);
    }
  }
  return undefined;
}

function gruuOf(text: string | undefined): string | undefined {
  return text !== undefined && /^sips?:[^\s<>"]{1,400}$/i.test(text) ? text : undefined;
}
