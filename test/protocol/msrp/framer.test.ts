import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { encodeFrame, MsrpFramer, type MsrpFrame, type MsrpFramerLimits } from '../../../src/protocol/msrp/index.ts';
import { containsEndLine, OctetSearch } from '../../../src/protocol/msrp/end-line.ts';
import { alicePath, bobPath, cut, readFrames, wire } from './support.ts';

// RFC 4975 section 11.1.
const firstExample = wire(
  'MSRP a786hjs2 SEND',
  'To-Path: msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp',
  'From-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp',
  'Message-ID: 87652491',
  'Byte-Range: 1-25/25',
  'Content-Type: text/plain',
  '',
  'Hey Bob, are you there?',
  '-------a786hjs2$',
);
const firstAnswer = wire(
  'MSRP a786hjs2 200 OK',
  'To-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp',
  'From-Path: msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp',
  '-------a786hjs2$',
);
const report = wire(
  'MSRP dkei38sd REPORT',
  'To-Path: msrp://alicepc.example.com:7777/iau39soe2843z;tcp',
  'From-Path: msrp://bob.example.com:8888/9di4eae923wzd;tcp',
  'Message-ID: 12339sdqwer',
  'Byte-Range: 1-106/106',
  'Status: 000 200 OK',
  '-------dkei38sd$',
);

const request = (body: Uint8Array | undefined, transactionId = 'tid12345'): MsrpFrame => ({
  head: {
    kind: 'request',
    transactionId,
    method: 'SEND',
    headers: {
      toPath: [bobPath],
      fromPath: [alicePath],
      messageId: 'message-1',
      byteRange: { start: 1 },
      ...(body === undefined ? {} : { contentType: 'text/plain;charset=utf-8' }),
      other: [{ name: 'Content-Disposition', value: 'attachment; filename="ä.txt"' }],
    },
  },
  ...(body === undefined ? {} : { body }),
  flag: '$',
});

describe('MSRP framer', () => {
  it('reads the examples of RFC 4975', () => {
    const [send, answer, success] = readFrames([concatBytes(firstExample, firstAnswer, report)]);
    expect(send).toMatchObject({
      head: {
        kind: 'request',
        transactionId: 'a786hjs2',
        method: 'SEND',
        headers: {
          toPath: ['msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp'],
          messageId: '87652491',
          byteRange: { start: 1, end: 25, total: 25 },
          contentType: 'text/plain',
        },
      },
      flag: '$',
    });
    expect(fromUtf8(send!.body!)).toBe('Hey Bob, are you there?');
    expect(answer).toMatchObject({ head: { kind: 'response', status: 200, comment: 'OK' }, body: undefined });
    expect(success).toMatchObject({
      head: { method: 'REPORT', headers: { status: { namespace: '000', code: 200, comment: 'OK' } } },
    });
  });

  it('tells an empty body from none, and takes an empty body without its CRLF', () => {
    const lines = ['MSRP abcd SEND', `To-Path: ${bobPath}`, `From-Path: ${alicePath}`, 'Message-ID: m123'];
    const none = wire(...lines, '-------abcd$');
    const empty = wire(...lines, 'Content-Type: text/plain', '', '', '-------abcd$');
    const shortened = wire(...lines, 'Content-Type: text/plain', '', '-------abcd+');
    expect(readFrames([none, empty, shortened]).map(({ body }) => body?.length)).toEqual([undefined, 0, 0]);
  });

  it.each([
    ['\r\n-------tid12345', 'no flag'],
    ['\r\n-------tid12345?\r\n', 'a wrong flag'],
    ['\r\n-------tid12345$x\r\n', 'octets after the flag'],
    ['\r\n-------tid12346$\r\n', 'another id'],
    ['\r\n------tid12345$\r\n', 'six dashes'],
    ['\r\n--------tid12345$\r\n', 'eight dashes'],
    ['\n-------tid12345$\r\n', 'no carriage return'],
    ['-------tid12345$\r\n', 'no line of its own'],
    ['\r\n-------tid12345$\r', 'half a line end'],
    ['\r\n\r\n-\r\n--\r\n-----', 'beginnings'],
    ['-'.repeat(200), 'dashes only'],
    ['\r'.repeat(50), 'carriage returns only'],
  ])('takes %j (%s) for body, however it is cut', (lookalike) => {
    const body = utf8(`before${lookalike}`);
    const head = wire(
      'MSRP tid12345 SEND',
      `To-Path: ${bobPath}`,
      `From-Path: ${alicePath}`,
      'Message-ID: m123',
      'Content-Type: text/plain',
      '',
    );
    const bytes = concatBytes(head, body, utf8('\r\n-------tid12345#\r\n'));
    for (let size = 1; size < 60; size++) {
      const pieces = cut(
        bytes,
        Array.from({ length: Math.floor(bytes.length / size) }, (_, index) => index * size),
      );
      const [frame, ...more] = readFrames(pieces);
      expect(fromUtf8(frame!.body!)).toBe(fromUtf8(body));
      expect(frame!.flag).toBe('#');
      expect(more).toEqual([]);
    }
  });

  it('finds the first end-line wherever it lies in a long body, and none that is not there', () => {
    const length = 5000;
    const mark = utf8('-------tid12345');
    fc.assert(
      fc.property(fc.array(fc.nat(length - mark.length), { maxLength: 3 }), fc.nat(3), (positions, from) => {
        const bytes = Uint8Array.from({ length }, (_, index) => '-tid12345\r\n'.charCodeAt((index * 7) % 11));
        for (const position of positions) bytes.set(mark, position);
        const text = String.fromCharCode(...bytes);
        const search = new OctetSearch();
        search.lookFor(mark);
        expect(search.find(bytes, from)).toBe(text.indexOf('-------tid12345', from));
      }),
      { numRuns: 500 },
    );
  });

  it('gives the same frames however the stream is cut', () => {
    const bodies = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 100 }),
        fc.constantFrom('\r\n', '-------', '-', '\r', '\n-------tid12345', '\r\n-------tid1234').map(utf8),
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(fc.array(bodies, { minLength: 1, maxLength: 4 }), fc.array(fc.nat(2000)), (all, cuts) => {
        fc.pre(!all.some((parts, index) => containsEndLine(concatBytes(...parts), `tid1234${index}`)));
        const frames = all.map((parts, index) => request(concatBytes(...parts), `tid1234${index}`));
        const bytes = concatBytes(...frames.map(encodeFrame));
        const read = readFrames(
          cut(
            bytes,
            cuts.map((position) => position % bytes.length),
          ),
        );
        expect(read.map(({ head, body, flag }) => ({ head, body, flag }))).toEqual(frames);
      }),
      { numRuns: 300 },
    );
  });

  it('never crashes, hangs or throws anything but a typed error on changed octets', () => {
    const good = concatBytes(firstExample, firstAnswer, report, encodeFrame(request(utf8('x'.repeat(300)))));
    const change = fc.record({ at: fc.nat(good.length - 1), octet: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(good.length)), (changes, cuts) => {
        const bytes = Uint8Array.from(good);
        for (const { at, octet } of changes) bytes[at] = octet;
        try {
          readFrames(cut(bytes, cuts));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          expect((error as ProtocolError).kind).toBe('malformed');
          expect((error as ProtocolError).offset).toBeLessThanOrEqual(good.length);
        }
      }),
      { numRuns: 1000 },
    );
  });

  const head = `MSRP abcd SEND\r\nTo-Path: ${bobPath}\r\nFrom-Path: ${alicePath}\r\n`;
  it.each<[string, string, RegExp, Partial<MsrpFramerLimits>]>([
    ['another protocol', 'GET / HTTP/1.1\r\n', /msrp\.startLine at offset 0/, {}],
    ['a short id', 'MSRP abc SEND\r\n', /msrp\.startLine at offset 0/, {}],
    ['a method in small letters', 'MSRP abcd send\r\n', /msrp\.startLine at offset 0/, {}],
    ['a line feed alone', 'MSRP abcd SEND\n', /msrp\.startLine at offset 14: line feed/, {}],
    ['a NUL in a header', `${head}Subject: a\0b\r\n`, new RegExp(`msrp.header at offset ${head.length}:`), {}],
    ['no colon', `${head}nonsense\r\n`, new RegExp(`msrp.header at offset ${head.length}`), {}],
    ['wrong UTF-8', `${head}Subject: \xff\r\n`, /msrp\.header at offset \d+: not UTF-8/, {}],
    ['no To-Path', `MSRP abcd SEND\r\nFrom-Path: ${alicePath}\r\n-------abcd$\r\n`, /msrp\.To-Path at offset 0/, {}],
    ['a path that is none', 'MSRP abcd SEND\r\nTo-Path: nowhere\r\n', /msrp\.To-Path at offset 24/, {}],
    ['To-Path twice', `${head}To-Path: ${bobPath}\r\n`, /msrp\.To-Path at offset \d+: given twice/, {}],
    ['a range from zero', `${head}Byte-Range: 0-1/1\r\n`, /msrp\.Byte-Range at offset/, {}],
    ['a huge range', `${head}Byte-Range: 1-99999999999999999999/1\r\n`, /msrp\.Byte-Range/, {}],
    ['an odd report wish', `${head}Success-Report: maybe\r\n`, /msrp\.Success-Report/, {}],
    ['a status without namespace', `${head}Status: 200 OK\r\n`, /msrp\.Status/, {}],
    ['another end-line', `${head}-------abce$\r\n`, /msrp\.header/, {}],
    ['a long start line', `MSRP abcd 200 ${'x'.repeat(600)}`, /msrp\.startLine at offset 0: line too long/, {}],
    [
      'long headers',
      `${head}A: ${'x'.repeat(500)}`,
      /msrp\.header at offset \d+: line too long/,
      { headerOctets: 400 },
    ],
    ['many headers', head + 'A: b\r\n'.repeat(20), /too many header fields; expected at most 9/, { headerCount: 9 }],
    [
      'a long chunk',
      `${head}Content-Type: a/b\r\n\r\n${'x'.repeat(101)}\r\n-------abcd$\r\n`,
      /msrp\.body at offset \d+: body too long/,
      { chunkOctets: 100 },
    ],
    [
      'a long body that is not a SEND',
      `${head.replace('SEND', 'AUTH')}Content-Type: a/b\r\n\r\n${'x'.repeat(11_000)}`,
      /at most 10240 octets/,
      {},
    ],
  ])('refuses %s', (_, text, expected, limits) => {
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    expect(() => readFrames([bytes], limits)).toThrow(expected);
    expect(() =>
      readFrames(
        Array.from(bytes, (octet) => Uint8Array.of(octet)),
        limits,
      ),
    ).toThrow(expected);
  });

  it('stays failed after an error', () => {
    const framer = new MsrpFramer();
    framer.push(utf8('nonsense\r\n'));
    expect(() => framer.next()).toThrow(ProtocolError);
    framer.push(firstExample);
    expect(() => framer.next()).toThrow(/startLine at offset 0/);
  });

  it('passes a body on as views of what was pushed, without collecting it', () => {
    const framer = new MsrpFramer();
    framer.push(utf8(`${head}Content-Type: a/b\r\n\r\n`));
    expect(framer.next()).toMatchObject({ type: 'head', hasBody: true });
    const piece = new Uint8Array(100_000).fill(0x61);
    for (let count = 0; count < 50; count++) {
      framer.push(piece);
      const event = framer.next();
      expect(event?.type === 'body' && event.bytes.buffer === piece.buffer).toBe(true);
      expect(framer.next()).toBeUndefined();
    }
  });

  it('writes no frame that would break its own framing', () => {
    expect(() => encodeFrame(request(utf8('x\r\n-------tid12345$\r\n')))).toThrow(/contains its end-line/);
    const bad = request(undefined);
    const headers = { ...bad.head.headers, other: [{ name: 'X', value: 'a\r\nTo-Path: evil' }] };
    expect(() => encodeFrame({ ...bad, head: { ...bad.head, headers } })).toThrow(/control character/);
    expect(() => encodeFrame({ ...bad, body: utf8('x') })).toThrow(/Content-Type/);
  });
});
