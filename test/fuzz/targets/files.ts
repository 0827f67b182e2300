import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { FileSink } from '../../../src/engine/files/file-content.ts';
import type { FileTarget } from '../../../src/engine/files/file-storage.ts';
import { fileTransferLines, parseSdp, readFileTransfer } from '../../../src/protocol/sdp/index.ts';
import { words } from '../mutate.ts';
import { ensure, ensureSame, parsed, written, type FuzzTarget } from '../target.ts';
import { pieces } from './pieces.ts';
import { cpimSamples, headerTokens } from './samples.ts';

const hash = (octets: number): string => Array.from({ length: octets }, () => 'A5').join(':');
const fileSdp = (...attributes: readonly string[]): Uint8Array =>
  utf8(
    ['v=0', 'o=- 1 1 IN IP4 h', 's=-', 'c=IN IP4 h', 't=0 0', 'm=message 9 TCP/MSRP *', 'a=path:msrp://h:9/a;tcp']
      .concat(attributes)
      .map((line) => `${line}\r\n`)
      .join(''),
  );

/** The attributes of a file (RFC 5547) in an SDP. */
const sdpFiles: FuzzTarget = {
  name: 'sdp-files',
  corpus: [
    fileSdp(
      `a=file-selector:name:"My%22 cool picture.jpg" type:image/jpeg;x="y z" size:32349 hash:sha-1:${hash(20)} hash:sha-256:${hash(32)}`,
      'a=file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd',
      'a=file-disposition:attachment',
      'a=file-date:creation:"Mon, 15 May 2006 15:01:31 +0300" modification:"x" read:"y"',
      'a=file-icon:cid:id2@alicepc.example.com',
      'a=file-range:1-32349',
    ),
    fileSdp('a=file-selector', 'a=file-range:5-*'),
    fileSdp('a=file-selector:name:"%E2%82%AC"', 'a=file-transfer-id:1'),
  ],
  tokens: words(
    'a=file-selector:',
    'name:"',
    '"',
    '%2F',
    '%00',
    '%',
    '../',
    'size:',
    ' hash:md5:00',
    ' hash:sha-256:',
    'type:a/b',
    ' ',
    'a=file-range:',
    '-*',
    'a=file-icon:cid:',
    'a=file-date:read:"x"\r\n',
    'm=message 9 TCP/MSRP *\r\n',
  ),
  check: (input) => {
    const description = parsed(() => parseSdp(input));
    for (const section of description?.media ?? []) {
      const transfer = parsed(() => readFileTransfer(section));
      if (transfer === undefined) continue;
      const lines = written(() => fileTransferLines(transfer));
      if (lines === undefined) continue;
      ensureSame(readFileTransfer({ ...section, lines }), transfer, 'another file after writing and reading');
    }
  },
};

/** Where the file went, or why it was refused. */
function stored(stream: readonly Uint8Array[], isWrapped: boolean): unknown {
  const written: Uint8Array[] = [];
  let end = 100;
  const target: FileTarget = {
    present: 0,
    keepNote: () => Promise.resolve(),
    write: (position, bytes) => {
      ensure(position === end, 'a gap in the file');
      end += bytes.length;
      written.push(bytes);
    },
    finish: () => Promise.resolve({ path: 'file', hashChecked: false }),
    suspend: () => Promise.resolve(),
    discard: () => Promise.resolve(),
  };
  let progress = 100;
  const sink = new FileSink(target, {
    start: 100,
    isWrapped,
    onProgress: (octets) => (progress = octets),
    onFinished: () => undefined,
    onFailed: () => undefined,
  });
  let position = 0;
  for (const piece of stream) {
    try {
      void sink.write(position, piece);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return 'refused';
    }
    position += piece.length;
  }
  ensure(progress === end, 'a progress that is none');
  return concatBytes(...written);
}

/** A file as it comes in pieces, in CPIM or alone: what is stored does not depend on where it was cut. */
const fileSink: FuzzTarget = {
  name: 'file-sink',
  corpus: [...cpimSamples, concatBytes(cpimSamples[0]!, cpimSamples[1]!), new Uint8Array(300).fill(0x61)],
  tokens: [...headerTokens, ...words('X: '.padEnd(2000, 'x'), `\r\nY: ${'y'.repeat(9000)}`)],
  check: (input, random) => {
    const isWrapped = !random.once(8);
    const whole = stored([input], isWrapped);
    ensureSame(stored(pieces(input, random), isWrapped), whole, 'another file when the stream is cut');
    if (whole instanceof Uint8Array) ensure(whole.length <= input.length, 'more than has come');
  },
};

export const fileTargets: readonly FuzzTarget[] = [sdpFiles, fileSink];
