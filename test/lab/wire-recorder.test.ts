import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, toBase64, utf8 } from '../../src/base/bytes.ts';
import { WireRecorder } from '../../src/lab/wire-recorder.ts';

describe('wire recorder', () => {
  test('finds a text however the octets were cut, and says where', () => {
    const recorder = new WireRecorder();
    const leg = recorder.open('accessLeg', 'alice to UE');
    const inside = recorder.open('insideEdge', 'proxy');
    for (const part of ['...mar', 'ker and mark', 'er...']) leg.record(utf8(part));
    inside.record(utf8('mark'));
    expect(recorder.find('marker')).toEqual({
      accessLeg: { count: 2, where: ['alice to UE'], octets: 23 },
      insideEdge: { count: 0, where: [], octets: 4 },
    });
  });

  test('finds a text inside base64 at every alignment and across line breaks', () => {
    const marker = 'tessera0123456789 ✓';
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 9 }),
        fc.uint8Array({ maxLength: 9 }),
        fc.boolean(),
        (before, after, wrap) => {
          const encoded = toBase64(concatBytes(before, utf8(marker), after));
          const recorder = new WireRecorder();
          recorder.open('insideEdge', 'x').record(utf8(wrap ? encoded.replace(/.{10}/g, '$&\r\n') : encoded));
          expect(recorder.find(marker).insideEdge.count).toBeGreaterThan(0);
        },
      ),
    );
  });

  test('does not find what is not there', () => {
    const recorder = new WireRecorder();
    recorder.open('accessLeg', 'x').record(utf8(toBase64(utf8('another text altogether, of some length'))));
    expect(recorder.find('tessera').accessLeg.count).toBe(0);
    expect(() => recorder.find('abc')).toThrow(RangeError);
  });

  test('keeps to its limit, forgetting the oldest first, and says so', () => {
    const recorder = new WireRecorder(1000);
    const stream = recorder.open('accessLeg', 'x');
    stream.record(utf8('the first'));
    for (let count = 0; count < 30_000; count++) stream.record(utf8('0123456789'));
    stream.record(utf8('the last'));
    const { octets } = recorder.find('the last').accessLeg;
    expect(octets).toBeGreaterThan(900);
    expect(octets).toBeLessThanOrEqual(1000);
    expect(recorder.find('the last').accessLeg.count).toBe(1);
    expect(recorder.find('the first').accessLeg.count).toBe(0);
    expect(recorder.forgottenOctets).toBeGreaterThan(290_000);
  });

  test('forgets everything on clear and goes on', () => {
    const recorder = new WireRecorder();
    const stream = recorder.open('accessLeg', 'x');
    stream.record(utf8('before'));
    recorder.clear();
    stream.record(utf8('afterwards'));
    expect(recorder.find('before').accessLeg.octets).toBe(10);
    expect(recorder.find('afterwards').accessLeg.count).toBe(1);
    expect(new WireRecorder(0).find('anything').accessLeg.octets).toBe(0);
  });
});
