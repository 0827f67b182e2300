import { toHex } from '../../../src/base/bytes.ts';
import { TrustAnchors } from '../../../src/crypto/certificate-path.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import type { TreeNode } from '../../../src/base/tree-reader.ts';
import { inspectOctets } from '../../../src/cli/inspect/inspect-octets.ts';
import type { InspectedItem } from '../../../src/cli/inspect/item.ts';
import { plainPaint, renderItem } from '../../../src/cli/inspect/render.ts';
import { hex, vectors } from '../../protocol/mikey/vectors.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { ensure, type FuzzTarget } from '../target.ts';
import { mikeyTokens, vectorMessages } from './mikey-world.ts';
import { publicKeys } from './public-keys.ts';
import {
  cmsSamples,
  cpimSamples,
  headerTokens,
  httpSamples,
  imdnSamples,
  msrpSamples,
  multipartSamples,
  sdpSamples,
  sipSamples,
} from './samples.ts';

const { inputs, trace, messages } = vectors.scenarios[0]!;
const keys = ['tpk', 'psk_initiator', 'psk_responder'].map((name) => inputs[name]!);
const secrets = [...keys, trace['ticket']!['mpk']!, trace['ticket']!['mpki']!, trace['ticket']!['mpkr']!];

const options = {
  now: Date.UTC(2026, 0, 1),
  psk: new SecretBytes(hex(inputs['psk_initiator'])),
  tpk: new SecretBytes(hex(inputs['tpk'])),
  mpks: [new SecretBytes(hex(trace['ticket']!['mpk']))],
  request: hex(messages['transfer_init']),
  exchange: [hex(messages['transfer_init']), hex(messages['transfer_resp'])],
  kmsKey: publicKeys.kms.privateKey,
  anchors: new TrustAnchors([publicKeys.authority], 'anchors'),
};

function checkTree(node: TreeNode, octets: number): number {
  ensure(node.offset >= 0 && node.length >= 0, 'a place before the input');
  const isDerived = node.name === 'Keys';
  ensure(isDerived || node.offset + node.length <= octets, `${node.name} ends behind the input`);
  const inside = isDerived ? Infinity : octets;
  return 1 + (node.children ?? []).reduce((sum, child) => sum + checkTree(child, inside), 0);
}

/** Nodes of all items. */
function checkItem(item: InspectedItem): number {
  const nodes = checkTree(item.tree, item.octets);
  for (const { offset, field, problem } of item.stops) {
    ensure(offset >= 0 && field !== '' && problem !== '', 'a stop that tells nothing');
  }
  return nodes + item.contains.reduce((sum, part) => sum + checkItem(part), 0);
}

/** The inspector: it never throws, its places lie in the input, its output is bounded, fit for a terminal and without keys. */
export const inspector: FuzzTarget = {
  name: 'inspector',
  corpus: [
    ...vectorMessages,
    publicKeys.request,
    publicKeys.resolve,
    ...cmsSamples,
    ...cpimSamples,
    ...httpSamples,
    ...imdnSamples,
    ...msrpSamples,
    ...multipartSamples.map(({ body }) => body),
    ...sdpSamples,
    ...sipSamples,
    ...vectorMessages.slice(0, 3).map((message) => utf8(toHex(message))),
    utf8('00000000: 010e 0580 6b2d 6f19 0202 0100 0200 0100  ....k-o.........\n00000010: 0411 11  ...\n'),
  ],
  tokens: [...mikeyTokens, ...headerTokens],
  check: (input) => {
    const item = inspectOctets(input, options, 'fuzz');
    // Text formats nest, so that octets may be shown at several levels.
    ensure(checkItem(item) <= 16 * input.length + 64, 'more fields than octets can hold');
    const text = renderItem(item, plainPaint).join('\n');
    ensure(!/[^\P{Cc}\n]|\p{Cf}/u.test(text), 'control characters for the terminal');
    const output = text + JSON.stringify(item);
    for (const secret of secrets) ensure(!output.includes(secret), 'a key in the output');
  },
};
