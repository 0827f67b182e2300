import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import {
  bootstrappingInfoLimits,
  decodeBootstrappingInfo,
  encodeBootstrappingInfo,
} from '../../../src/protocol/gba/bootstrapping-info.ts';

const example = {
  btid: 'fve4iTWb1rTb297CzVSrpw==@bsf.ims.mnc045.mcc123.pub.3gppnetwork.org',
  lifetime: Date.UTC(2026, 9, 28, 23, 36, 26),
};
const document = (inside: string, start = '<?xml version="1.0" encoding="UTF-8"?>\n'): Uint8Array =>
  utf8(`${start}<BootstrappingInfo xmlns="uri:3gpp-gba">${inside}</BootstrappingInfo>`);
const { btid } = example;

describe('BootstrappingInfo', () => {
  it('is read as a BSF writes it', () => {
    const sent = document(`\n<btid>${btid}</btid>\n<lifetime>2026-10-28T23:36:26Z</lifetime>\n`);
    expect(decodeBootstrappingInfo(sent)).toEqual(example);
  });

  it('reads a time with an offset, and passes over what it does not know', () => {
    const sent = document(
      `<btid>${btid}</btid><x:note xmlns:x="urn:x"><x:btid>other</x:btid></x:note><lifetime>2026-10-28T18:36:26-05:00</lifetime>`,
    );
    expect(decodeBootstrappingInfo(sent)).toEqual(example);
  });

  it('round trips', () => {
    const visible = fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)) });
    fc.assert(
      fc.property(
        visible.filter((text) => text.length > 0),
        fc.integer({ min: 0, max: 4e12 }),
        (name, lifetime) => {
          const info = { btid: name, lifetime };
          expect(decodeBootstrappingInfo(encodeBootstrappingInfo(info))).toEqual(info);
        },
      ),
      { seed: 24109 },
    );
  });

  it.each([
    ['nothing', utf8('')],
    ['no XML', utf8('btid')],
    ['no B-TID', document('<lifetime>2026-10-28T23:36:26Z</lifetime>')],
    ['no lifetime', document(`<btid>${btid}</btid>`)],
    ['a time without a zone', document(`<btid>${btid}</btid><lifetime>2026-10-28T23:36:26</lifetime>`)],
    ['a time that is none', document(`<btid>${btid}</btid><lifetime>2026-13-48T23:36:26Z</lifetime>`)],
    ['a B-TID with a space', document('<btid>a b</btid><lifetime>2026-10-28T23:36:26Z</lifetime>')],
    ['two B-TIDs', document(`<btid>${btid}</btid><btid>x@y</btid><lifetime>2026-10-28T23:36:26Z</lifetime>`)],
    ['another namespace', utf8(`<BootstrappingInfo xmlns="urn:x"><btid>a@b</btid></BootstrappingInfo>`)],
    [
      'a document type',
      document(`<btid>&b;</btid><lifetime>2026-10-28T23:36:26Z</lifetime>`, `<!DOCTYPE x [<!ENTITY b "a@b">]>`),
    ],
    ['too deep', document('<a><b><c><d/></c></b></a>')],
    ['a long B-TID', document(`<btid>${'a'.repeat(300)}</btid><lifetime>2026-10-28T23:36:26Z</lifetime>`)],
    ['too large', new Uint8Array(bootstrappingInfoLimits.maxOctets + 1).fill(0x20)],
    ['no UTF-8', Uint8Array.of(0xff, 0xfe)],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeBootstrappingInfo(bytes)).toThrow(ProtocolError);
  });

  it('answers any change of an octet with a value or a typed error', () => {
    const sent = encodeBootstrappingInfo(example);
    fc.assert(
      fc.property(fc.nat(sent.length - 1), fc.integer({ min: 0, max: 255 }), (at, octet) => {
        const changed = sent.slice();
        changed[at] = octet;
        try {
          decodeBootstrappingInfo(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { seed: 24109, numRuns: 500 },
    );
  });
});
