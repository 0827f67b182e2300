import { utf8 } from '../../../src/base/bytes.ts';
import { decodeComposing, encodeComposing } from '../../../src/protocol/composing/index.ts';
import { decodeBootstrappingInfo, encodeBootstrappingInfo } from '../../../src/protocol/gba/index.ts';
import { readPidf, writePidf } from '../../../src/protocol/presence/index.ts';
import { words } from '../mutate.ts';
import { ensure, ensureSame, parsed, written, type FuzzTarget } from '../target.ts';

const tokens = words(
  '<?xml version="1.0"?>',
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  '&amp;',
  '&b;',
  '&#0;',
  '&#x202e;',
  '<![CDATA[',
  ']]>',
  '<!--',
  '-->',
  '<a>',
  '</a>',
  '<a/>',
  ' xmlns="x"',
  ' xmlns:g="uri:3gpp-gba"',
  '<g:btid>',
  '<state>idle</state>',
  '<refresh>60</refresh>',
  '<contenttype>text/plain</contenttype>',
  '<lifetime>2026-01-01T00:00:00Z</lifetime>',
  '\u0000',
  '\u{1f600}',
);

/** What a BSF tells of a bootstrapping (TS 24.109 annex C). */
const bootstrappingInfo: FuzzTarget = {
  name: 'bootstrapping-info',
  corpus: [
    encodeBootstrappingInfo({ btid: 'cmFuZA==@bsf.example.com', lifetime: Date.UTC(2026, 0, 1) }),
    utf8(
      '<g:BootstrappingInfo xmlns:g="uri:3gpp-gba" xmlns:o="other"><o:more><o:deep/></o:more><g:btid><![CDATA[a&b]]>@bsf' +
        '</g:btid><g:lifetime> 2026-01-01T12:00:00.5+02:00 </g:lifetime></g:BootstrappingInfo>',
    ),
  ],
  tokens,
  check: (input) => {
    const info = parsed(() => decodeBootstrappingInfo(input));
    if (info === undefined) return;
    ensure(/^[!-~]{1,256}$/.test(info.btid) && Number.isFinite(info.lifetime), 'values out of bounds');
    ensureSame(decodeBootstrappingInfo(encodeBootstrappingInfo(info)), info, 'another one after writing and reading');
  },
};

/** Whether somebody is writing (RFC 3994). */
const composing: FuzzTarget = {
  name: 'composing',
  corpus: [
    encodeComposing({ state: 'active', refresh: 60, contentType: 'text/plain; charset="utf-8"' }),
    encodeComposing({ state: 'idle' }),
    utf8(
      '<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing" xmlns:x="y"><state>active</state>' +
        '<lastactive>2026-01-01T00:00:00Z</lastactive><x:more>1</x:more></isComposing>',
    ),
  ],
  tokens,
  check: (input) => {
    const status = parsed(() => decodeComposing(input));
    if (status === undefined) return;
    ensure(status.refresh === undefined || status.refresh > 0, 'a refresh of no time');
    const again = written(() => encodeComposing(status));
    if (again === undefined) return;
    // Escapes make the text longer, so that it may pass the limit.
    const read = input.length < 1024 ? decodeComposing(again) : parsed(() => decodeComposing(again));
    if (read !== undefined) ensureSame(read, status, 'another status after writing and reading');
  },
};

/** What somebody says of their presence (RFC 3863). */
const presence: FuzzTarget = {
  name: 'presence',
  corpus: [
    writePidf({ entity: 'sip:a@b', basic: 'open', activity: 'busy', note: 'a & b', tupleId: '1', at: 0 }),
    utf8(
      '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:a@b"><tuple id="x"><status><basic>closed</basic></status>' +
        '<note>n</note><timestamp>2001-10-27T16:49:29Z</timestamp></tuple><note xml:lang="en">hello</note></presence>',
    ),
  ],
  tokens: [
    ...tokens,
    ...words(
      '<basic>open</basic>',
      '<note>x</note>',
      ' entity="a"',
      '<rpid:activities>',
      '<rpid:away/>',
      '<dm:person id="p">',
    ),
  ],
  check: (input) => {
    const document = parsed(() => readPidf(input));
    if (document === undefined) return;
    ensure(document.entity !== '' && document.tuples.length <= 1000, 'values out of bounds');
    ensure(
      [...document.notes, ''].every((note) => note.length <= 1000),
      'a note without bounds',
    );
    const [note] = document.notes;
    const own = { entity: document.entity, basic: 'open', tupleId: 'a', at: 0 } as const;
    const again = written(() => writePidf({ ...own, ...(note === undefined ? {} : { note }) }));
    if (again !== undefined) ensureSame(readPidf(again).entity, document.entity, 'another entity after writing');
  },
};

export const xmlTargets: readonly FuzzTarget[] = [bootstrappingInfo, composing, presence];
