import { performance } from 'node:perf_hooks';
import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { encodeFrame, MsrpFramer } from '../../../src/protocol/msrp/index.ts';
import type { BenchRow } from '../bench-row.ts';

const transactionId = 'a786hjs2';
const growth = 8;
const readOctets = 16 * 1024;

interface Input {
  readonly name: string;
  /** About `octets` of it. */
  readonly make: (octets: number) => Uint8Array;
  /** Octets of one push. */
  readonly cut: number;
}

const frame = (body: Uint8Array): Uint8Array =>
  encodeFrame({
    head: {
      kind: 'request',
      transactionId,
      method: 'SEND',
      headers: {
        toPath: ['msrp://127.0.0.1:1/b;tcp'],
        fromPath: ['msrp://127.0.0.1:2/a;tcp'],
        messageId: 'bench',
        contentType: 'text/plain',
        other: [],
      },
    },
    body,
    flag: '+',
  });

const repeated = (octets: number, unit: Uint8Array): Uint8Array => {
  const all = new Uint8Array(Math.ceil(octets / unit.length) * unit.length);
  for (let at = 0; at < all.length; at += unit.length) all.set(unit, at);
  return all;
};

const inputs: readonly Input[] = [
  {
    name: 'chunks of 64 KiB',
    cut: readOctets,
    make: (octets) => repeated(octets, frame(secureRandom.bytes(64 * 1024))),
  },
  { name: 'chunks of 1 octet', cut: readOctets, make: (octets) => repeated(octets, frame(utf8('x'))) },
  { name: 'chunks of 1 octet, read octet by octet', cut: 1, make: (octets) => repeated(octets, frame(utf8('x'))) },
  {
    name: 'one chunk of end-lines without their last octets',
    cut: readOctets,
    make: (octets) => frame(repeated(octets, utf8(`\r\n-------${transactionId.slice(0, -1)}x`))),
  },
  {
    name: 'one chunk of end-lines with a wrong flag, read in threes',
    cut: 3,
    make: (octets) => concatBytes(frame(repeated(octets, utf8(`\r\n-------${transactionId.slice(0, -1)}?`)))),
  },
];

function secondsFor(bytes: Uint8Array, cut: number): number {
  const framer = new MsrpFramer();
  let bodyOctets = 0;
  const start = performance.now();
  for (let at = 0; at < bytes.length; at += cut) {
    framer.push(bytes.subarray(at, at + cut));
    for (let event = framer.next(); event !== undefined; event = framer.next())
      if (event.type === 'body') bodyOctets += event.bytes.length;
  }
  if (!framer.isBetweenFrames || bodyOctets === 0) throw new Error('not all was read');
  return (performance.now() - start) / 1000;
}

/** Time of an octet in an input and in one eight times as long: the same, when framing costs linear time. */
export function benchFraming(octets: number, rounds: number): BenchRow[] {
  return inputs.map(({ name, make, cut }) => {
    // Octet by octet there is a hundred times as much to do.
    const size = cut < readOctets ? octets / 16 : octets;
    const perOctet = (bytes: Uint8Array): number => {
      let best = Infinity;
      for (let round = 0; round <= rounds; round++) best = Math.min(best, secondsFor(bytes, cut));
      return (best * 1e9) / bytes.length;
    };
    const [reference, ours] = [perOctet(make(size / growth)), perOctet(make(size))];
    return {
      name: `framing, ${name}`,
      ours,
      reference,
      unit: 'ns an octet',
      note: `reference: an input ${growth} times shorter`,
      target: { text: 'linear', isMet: ours < 1.5 * reference },
    };
  });
}
