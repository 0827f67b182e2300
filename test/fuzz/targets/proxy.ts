import { concatBytes, fromHex } from '../../../src/base/bytes.ts';
import { readProxyHeader } from '../../../src/kms/http/proxy-protocol.ts';
import { words } from '../mutate.ts';
import { ensure, ensureSame, parsed, type FuzzTarget } from '../target.ts';

const signature = fromHex('0d0a0d0a000d0a515549540a');
const corpus = [
  fromHex('2111000cc0000201c6336402d43101bb'),
  fromHex('2121002420010db800000000000000000000000520010db8000000000000000000000001d43101bb'),
  fromHex('21110010c0000201c6336402d43101bb04000100'),
  fromHex('20000000'),
].map((rest) => concatBytes(signature, rest));

/** `undefined` while octets are missing, `refused` when it can be no header. */
const read = (bytes: Uint8Array) => parsed(() => ({ header: readProxyHeader(bytes) })) ?? 'refused';

/** The header of the PROXY protocol: what it is does not depend on how many octets have come, nor on what follows it. */
export const proxy: FuzzTarget = {
  name: 'proxy',
  corpus: [
    ...corpus,
    ...words(
      'PROXY TCP4 192.0.2.1 198.51.100.1 54321 443\r\n',
      'PROXY TCP6 2001:db8::5 2001:db8::1 54321 443\r\nPOST / HTTP/1.1\r\n',
      'PROXY UNKNOWN\r\n',
    ),
  ],
  tokens: [signature, ...words('PROXY ', 'TCP4 ', '::ffff:192.0.2.1', ' ', '\r\n')],
  check: (input, random) => {
    const whole = read(input);
    const cut = input.subarray(0, random.below(input.length + 1));
    const early = read(cut);
    if (early === 'refused') ensure(whole === 'refused', 'refused, and then taken');
    else if (early.header !== undefined) ensureSame(whole, early, 'another header when more has come');
    if (whole === 'refused' || whole.header === undefined) return;
    const { header } = whole;
    ensure(header.length > 0 && header.length <= input.length, 'longer than what has come');
    ensureSame(read(input.subarray(0, header.length)), whole, 'what follows the header changes it');
    ensure(header.source === undefined || /^[0-9a-f.:]{2,39}$/.test(header.source), 'a source that is no address');
  },
};
