import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../../src/base/errors.ts';
import {
  fileTransferLines,
  formatSdp,
  isFileTransfer,
  parseSdp,
  readFileTransfer,
  type FileTransfer,
} from '../../../src/protocol/sdp/index.ts';

const hash = '72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E';
const session = 'v=0\r\no=alice 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n';

function read(...attributes: string[]): FileTransfer | undefined {
  const lines = ['m=message 7654 TCP/MSRP *', ...attributes.map((attribute) => `a=${attribute}`)];
  const [section] = parseSdp(session + lines.map((line) => `${line}\r\n`).join('')).media;
  return readFileTransfer(section!);
}

describe('the attributes of a file transfer', () => {
  it('are read from the example of RFC 5547 section 6', () => {
    expect(
      read(
        'sendonly',
        `file-selector:name:"My cool picture.jpg" type:image/jpeg size:32349 hash:sha-1:${hash}`,
        'file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd',
        'file-disposition:attachment',
        'file-date:creation:"Mon, 15 May 2006 15:01:31 +0300"',
        'file-icon:cid:id2@alicepc.example.com',
        'file-range:1-32349',
      ),
    ).toEqual({
      selector: {
        name: 'My cool picture.jpg',
        type: 'image/jpeg',
        size: 32349,
        hashes: [{ algorithm: 'sha-1', value: hash }],
      },
      transferId: 'vBnG916bdberum2fFEABR1FR3ExZMUrd',
      disposition: 'attachment',
      dates: { creation: 'Mon, 15 May 2006 15:01:31 +0300' },
      icon: 'id2@alicepc.example.com',
      range: { start: 1, stop: 32349 },
    });
  });

  it('are absent from a chat, and bare in an answer about capabilities', () => {
    expect(read('accept-types:text/plain')).toBeUndefined();
    expect(read('file-selector')?.selector).toBeUndefined();
    const [chat] = parseSdp(`${session}m=message 9 TCP/MSRP *\r\na=accept-types:*\r\n`).media;
    expect(isFileTransfer(chat!)).toBe(false);
  });

  it('take a second hash beside SHA-1, an open range, and the default disposition', () => {
    const sha256 = Array.from({ length: 32 }, () => 'AB').join(':');
    const transfer = read(
      `file-selector:size:5 hash:sha-1:${hash} hash:SHA-256:${sha256.toLowerCase()}`,
      'file-range:6-*',
    );
    expect(transfer?.selector?.hashes.map(({ algorithm }) => algorithm)).toEqual(['sha-1', 'sha-256']);
    expect(transfer?.selector?.hashes[1]?.value).toBe(sha256);
    expect(transfer).toMatchObject({ range: { start: 6 }, disposition: 'render' });
  });

  it.each([
    ['an unknown selector', 'file-selector:colour:red', 'sdp.file-selector'],
    ['a name without quotes', 'file-selector:name:picture.jpg', 'sdp.file-selector'],
    ['a quote that is not closed', 'file-selector:name:"picture', 'sdp.file-selector'],
    ['a broken escape', 'file-selector:name:"100%zz"', 'sdp.file-selector'],
    ['a name that is not UTF-8', 'file-selector:name:"%FF%FE"', 'sdp.file-selector'],
    ['a name twice', 'file-selector:name:"a" name:"b"', 'sdp.file-selector'],
    ['a negative size', 'file-selector:size:-1', 'sdp.file-selector'],
    ['a size beyond every file', 'file-selector:size:99999999999999999', 'sdp.file-selector'],
    ['half a hash', 'file-selector:hash:sha-1:72:24', 'sdp.file-selector'],
    ['no media type', 'file-selector:type:image', 'sdp.file-selector'],
    [
      'many hashes',
      `file-selector:${Array.from({ length: 9 }, () => `hash:sha-1:${hash}`).join(' ')}`,
      'sdp.file-selector',
    ],
  ])('are refused with %s', (_, attribute, field) => {
    expect(() => read(attribute)).toThrow(expect.objectContaining({ field, hint: { sip: 488 } }) as Error);
  });

  it.each([
    ['file-range:0-5', 'sdp.file-range'],
    ['file-range:7-5', 'sdp.file-range'],
    ['file-range:x', 'sdp.file-range'],
    ['file-icon:http://example.com/icon', 'sdp.file-icon'],
    ['file-date:yesterday', 'sdp.file-date'],
    ['file-transfer-id:a b', 'sdp.file-transfer-id'],
    ['file-disposition:a;b', 'sdp.file-disposition'],
  ])('are refused with %s', (attribute, field) => {
    expect(() => read('file-selector:size:5', attribute)).toThrow(expect.objectContaining({ field }) as Error);
  });

  it('come out as they went in, whatever the name', () => {
    const names = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter((name) => name.isWellFormed());
    fc.assert(
      fc.property(names, fc.nat(), fc.option(fc.integer({ min: 1, max: 1e9 })), (name, size, start) => {
        const transfer: FileTransfer = {
          selector: { name, size, type: 'application/octet-stream', hashes: [{ algorithm: 'sha-1', value: hash }] },
          transferId: 'abc',
          disposition: 'attachment',
          dates: { modification: 'Mon, 15 May 2006 15:01:31 +0300' },
          icon: undefined,
          range: start === null ? undefined : { start },
        };
        const media = [{ lines: [{ type: 'm', value: 'message 9 TCP/MSRP *' }, ...fileTransferLines(transfer)] }];
        const text = formatSdp({ session: parseSdp(session).session, media });
        const [section] = parseSdp(text).media;
        expect(readFileTransfer(section!)).toEqual(transfer);
        const written = /name:"([^"]*)"/.exec(text)?.[1] ?? '';
        expect(written).not.toMatch(/[/\\:]/);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('never fail otherwise than with their name', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), (text) => {
        const lines = [{ type: 'a', value: `file-selector:${text}` }];
        try {
          readFileTransfer({ lines });
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          expect((error as ProtocolError).field).toBe('sdp.file-selector');
        }
      }),
      { seed: 8, numRuns: 500 },
    );
  });
});
