import type { TreeReader } from '../../../base/tree-reader.ts';
import type { PlaceContext } from './context.ts';
import { codePointName, named } from './names.ts';
import type { PayloadTree } from './simple-payload-trees.ts';

const signPayload = 4;
const verificationPayload = 9;

/** Vi and Vr have no names of their own on the wire (RFC 6043 6.10). */
const initiatorDataNames = ['Vi', 'Vr'];

/**
 * Payloads up to the one that says it is the last.
 * Reading [A19]: a payload of unknown type has no known length, so reading stops there.
 */
export function readChainTree(
  reader: TreeReader,
  first: number,
  trees: Readonly<Record<number, PayloadTree>>,
  context: PlaceContext,
): void {
  let proof: string | undefined;
  for (let code = first, index = 0; code !== 0; index++) {
    const tree = trees[code];
    if (tree === undefined) {
      const known = codePointName('nextPayload', code);
      reader.stop('Next payload', `payload ${code} (${known}) is not read here`, 'a payload of RFC 3830 or RFC 6043');
    }
    const name = (context.place === 'initiator data' ? initiatorDataNames[index] : undefined) ?? payloadName(code);
    if (proof !== undefined && context.place === 'message') {
      reader.note('Contradiction', `${name} follows ${proof}, which should be the last and does not cover it`);
    }
    code = readPayload(reader, code, name, tree, context);
    if (name === 'V' || name === 'SIGN') proof = name;
  }
}

function readPayload(reader: TreeReader, code: number, name: string, tree: PayloadTree, context: PlaceContext): number {
  let next = 0;
  reader.group(
    name,
    () => {
      if (code !== signPayload) next = reader.number(1, 'Next payload', named('nextPayload'));
      return tree(reader, context);
    },
    (words) => words,
  );
  return next;
}

const payloadName = (code: number): string => (code === verificationPayload ? 'V' : codePointName('nextPayload', code));
