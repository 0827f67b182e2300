import type { TreeReader } from '../../../base/tree-reader.ts';
import { flagNames } from '../flags.ts';
import type { PlaceContext } from './context.ts';
import { codePointName, named } from './names.ts';
import { readChainTree } from './chain-tree.ts';
import { simplePayloadTrees, type PayloadTree } from './simple-payload-trees.ts';

type FlagName = (typeof flagNames)[number];

/** RFC 6043 6.10: what each bit says when it is set, and when it is not. */
const flagTexts: Readonly<Record<FlagName, readonly [set: string, clear: string]>> = {
  D: ['the ticket was made by the KMS', 'the ticket was made by the initiator'],
  E: ['the responder must resolve it at the KMS', 'the responder may resolve it alone'],
  F: ['TRANSFER_RESP shall be sent', 'TRANSFER_RESP shall not be sent'],
  G: ['the responder generates RANDRr', 'the responder generates no RANDRr'],
  H: ['RANDRi enters the derivation of session keys', 'RANDRi does not enter the derivation of session keys'],
  I: ['keys are forked per responder', 'keys are not forked'],
  J: ['the ticket may be reused', 'the ticket is for a single use'],
  K: ['the KMS changed what was asked for', 'the KMS changed nothing'],
  L: ['the initiator may supply session keys', 'the initiator shall not supply session keys'],
  M: ['the responder may supply session keys', 'the responder shall not supply session keys'],
  N: ['plain initiator processing is enough', "the initiator follows the ticket type's specification"],
  O: ['plain responder processing is enough', "the responder follows the ticket type's specification"],
};

const isSet = (bits: number, name: FlagName): boolean => ((bits >> (16 - flagNames.indexOf(name))) & 1) === 1;

/** RFC 6043 6.10: what a set of flags contradicts. */
const dependencies: readonly (readonly [(has: (name: FlagName) => boolean) => boolean, string])[] = [
  [(has) => has('D') || has('L'), 'not D needs L'],
  [(has) => !has('G') || has('F'), 'G needs F'],
  [(has) => has('G') || has('H'), 'not G needs H'],
  [(has) => !has('I') || has('E'), 'I needs E'],
  [(has) => !has('K') || has('D'), 'K needs D'],
  [(has) => !has('M') || has('F'), 'M needs F'],
];

/** The letters of the flags that are set, as RFC 6043 names them. */
function flagLetters(bits: number): string {
  return flagNames.filter((name) => isSet(bits, name)).join('');
}

/** Ticket type to TP Data (RFC 6043 6.10): what TP and TICKET have in common. @returns what it says, in words. */
export function readPolicyFields(reader: TreeReader, context: PlaceContext): string {
  const type = reader.number(2, 'Ticket Type', named('ticketType'));
  reader.number(1, 'Subtype');
  reader.number(1, 'Version');
  let bits = 0;
  reader.group('PRF, flags', () => {
    const at = reader.offset;
    bits = reader.number(3, 'PRF Func, D-O, Res', (value) => {
      const reserved = (value & 0x1f) === 0 ? '' : `, reserved bits ${value & 0x1f}`;
      return `${codePointName('prf', value >> 17)}, flags ${flagLetters(value)}${reserved}`;
    });
    for (const name of flagNames) {
      const [set, clear] = flagTexts[name];
      reader.note(`${name}=${isSet(bits, name) ? 1 : 0}`, isSet(bits, name) ? set : clear, at);
    }
    for (const [holds, rule] of dependencies) {
      if (!holds((name) => isSet(bits, name))) reader.note('Contradiction', `${rule} (RFC 6043 6.10)`, at);
    }
  });
  const length = reader.number(2, 'TP Data length');
  reader.within(length, 'TP Data', (inner) => {
    const first = inner.number(1, 'First payload', named('nextPayload'));
    readChainTree(inner, first, simplePayloadTrees, { ...context, place: 'policy' });
  });
  return `${codePointName('ticketType', type)}, flags ${flagLetters(bits)}`;
}

/** THDR, T, RAND, KEMAC, [IDRpsk], V of a base ticket (RFC 6043 A.1). */
function readTicketData(reader: TreeReader, context: PlaceContext): void {
  const first = reader.group('THDR', () => {
    const next = reader.number(1, 'Next payload', named('nextPayload'));
    reader.octets(reader.number(2, 'THDR Data length'), 'THDR Data');
    return next;
  });
  readChainTree(reader, first, simplePayloadTrees, { ...context, place: 'ticket' });
}

const ticket: PayloadTree = (reader, context) => {
  const words = readPolicyFields(reader, context);
  reader.within(reader.number(2, 'Ticket Data length'), 'Ticket Data', (data) => readTicketData(data, context));
  const length = reader.number(2, 'Initiator Data length');
  if (length > 0) {
    reader.within(length, 'Initiator Data', (data) => {
      const first = data.number(1, 'First payload', named('nextPayload'));
      readChainTree(data, first, simplePayloadTrees, { ...context, place: 'initiator data' });
    });
  }
  return words;
};

/** By Next Payload value: everything that may stand in a message. */
export const payloadTrees: Readonly<Record<number, PayloadTree>> = {
  ...simplePayloadTrees,
  16: readPolicyFields,
  17: ticket,
};
