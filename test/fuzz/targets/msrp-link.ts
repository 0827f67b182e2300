import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import {
  decodeFrames,
  MsrpLink,
  parseMsrpUri,
  sameMsrpSession,
  type MsrpParty,
} from '../../../src/protocol/msrp/index.ts';
import { words } from '../mutate.ts';
import { ensure, ensureSame, parsed, type FuzzTarget } from '../target.ts';
import { pieces } from './pieces.ts';
import { headerTokens, msrpSamples } from './samples.ts';

interface Party extends MsrpParty {
  readonly name: string;
}

const party = (name: string, id: string): Party => ({
  name,
  localUri: `msrps://biloxi.example.com:12763/${id};tcp`,
  nextHop: 'msrps://atlanta.example.com:7654/jshA7weztas;tcp',
  nextOutput: () => undefined,
});

const frame = (id: string, method: string, to: string, body?: string): Uint8Array =>
  utf8(
    [
      `MSRP ${id} ${method}`,
      `To-Path: ${to}`,
      'From-Path: msrps://atlanta.example.com:7654/jshA7weztas;tcp',
      'Message-ID: 1',
      ...(body === undefined
        ? []
        : [`Byte-Range: 1-${body.length}/${body.length}`, 'Content-Type: text/plain', '', body]),
      `-------${id}$`,
      '',
    ].join('\r\n'),
  );

const first = party('first', 'kjhd37s2s20w2a');
const second = party('second', 'second01');
const waiting = party('waiting', 'waiting1');

/** What comes of a stream with two sessions on it and a third that waits for its connection. */
function carried(stream: readonly Uint8Array[]): readonly unknown[] {
  const link: MsrpLink<Party> = new MsrpLink<Party>({
    framerLimits: { chunkOctets: 32 * 1024 },
    claim: (toPath) => {
      if (toPath !== waiting.localUri) return undefined;
      link.add(waiting);
      return waiting;
    },
  });
  link.add(first);
  link.add(second);
  const events: unknown[] = [];
  let body: Uint8Array[] = [];
  let heads = 0;
  try {
    for (const piece of stream) {
      link.push(piece);
      for (let delivery = link.next(); delivery !== undefined; delivery = link.next()) {
        const { event } = delivery;
        if (event.type === 'body') {
          body.push(event.bytes);
          continue;
        }
        if (event.type === 'head') {
          heads++;
          const to = parseMsrpUri(event.head.headers.toPath[0] ?? '');
          ensure(sameMsrpSession(to, parseMsrpUri(delivery.party.localUri)), 'given to another session');
        }
        if (event.type === 'end') events.push(concatBytes(...body));
        body = [];
        events.push(delivery.party.name, event);
      }
    }
  } catch (error) {
    parsed(() => {
      throw error;
    });
    events.push('refused');
  }
  ensure(link.size <= 3 && heads <= events.length, 'sessions that nobody has opened');
  for (let output = link.nextOutput(0); output !== undefined; output = link.nextOutput(0)) {
    const [answer] = decodeFrames(concatBytes(...output.pieces));
    ensure(answer?.head.kind === 'response' && [400, 481].includes(answer.head.status), 'an answer that is none');
    events.push(answer);
  }
  return events;
}

/** A connection with several sessions: each frame goes to its own, strangers are answered, wherever the stream was cut. */
export const msrpLink: FuzzTarget = {
  name: 'msrp-link',
  corpus: [
    concatBytes(...msrpSamples),
    concatBytes(
      frame('a1b2c3d4', 'SEND', first.localUri, 'hello'),
      frame('b1b2c3d4', 'SEND', second.localUri, 'world'),
      frame('c1b2c3d4', 'SEND', waiting.localUri, 'third'),
      frame('d1b2c3d4', 'SEND', 'msrps://biloxi.example.com:12763/nobody;tcp', 'lost'),
      frame('e1b2c3d4', 'SEND', 'MSRPS://BILOXI.example.com:12763/second01;tcp'),
      frame('f1b2c3d4', '200 OK', second.localUri),
    ),
  ],
  tokens: [...headerTokens, ...words(first.localUri, second.localUri, waiting.localUri, 'Failure-Report: no\r\n')],
  check: (input, random) => {
    ensureSame(carried(pieces(input, random)), carried([input]), 'another result when the stream is cut');
  },
};
