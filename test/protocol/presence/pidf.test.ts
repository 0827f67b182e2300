import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { readPidf, writePidf } from '../../../src/protocol/presence/index.ts';

const pidf = 'urn:ietf:params:xml:ns:pidf';
const document = (inside: string, attributes = 'entity="pres:alice@example.com"'): Uint8Array =>
  utf8(`<?xml version="1.0" encoding="UTF-8"?><presence xmlns="${pidf}" ${attributes}>${inside}</presence>`);

describe('reading', () => {
  test('the example of RFC 3863 section 4.3', () => {
    const bytes = document(
      `<tuple id="bs35r9"><status><basic>open</basic><im:im xmlns:im="urn:ietf:params:xml:ns:pidf:im">busy</im:im></status>
        <contact priority="0.8">im:someone@mobilecarrier.net</contact><note xml:lang="en">Don't Disturb Please!</note>
        <timestamp>2001-10-27T16:49:29Z</timestamp></tuple>
      <tuple id="eg92n8"><status><basic>open</basic></status><contact priority="1.0">mailto:someone@example.com</contact></tuple>
      <note>I'll be in Tokyo next week</note>`,
    );
    expect(readPidf(bytes)).toEqual({
      entity: 'pres:alice@example.com',
      tuples: [
        {
          id: 'bs35r9',
          basic: 'open',
          contact: 'im:someone@mobilecarrier.net',
          note: "Don't Disturb Please!",
          timestamp: '2001-10-27T16:49:29Z',
        },
        { id: 'eg92n8', basic: 'open', contact: 'mailto:someone@example.com' },
      ],
      activities: [],
      notes: ["I'll be in Tokyo next week"],
    });
  });

  test('activities of the person, and of a tuple as older clients write them', () => {
    const spaces = 'xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid"';
    const bytes = document(
      `<tuple id="t"><status><basic> OPEN </basic><r:activities><r:meal/></r:activities></status></tuple>
       <dm:person id="p"><r:activities><r:on-the-phone/><other xmlns="x"/></r:activities><dm:note>hi</dm:note></dm:person>`,
      `entity="sip:a@b" ${spaces}`,
    );
    expect(readPidf(bytes)).toMatchObject({ activities: ['on-the-phone', 'meal'], notes: ['hi'] });
  });

  test('nothing said of a state is no state', () => {
    expect(
      readPidf(document('<tuple id="t"><status/></tuple><tuple><status><basic>maybe</basic></status></tuple>')),
    ).toMatchObject({
      tuples: [
        { id: 't', basic: undefined },
        { id: '', basic: undefined },
      ],
    });
  });

  test.each([
    ['another document', utf8('<conference-info entity="x"/>')],
    ['another namespace', utf8('<presence xmlns="x" entity="pres:a"/>')],
    ['no entity', document('', '')],
    ['a document type', utf8(`<!DOCTYPE a []><presence xmlns="${pidf}" entity="a"/>`)],
    ['no XML', utf8('open')],
    ['too many elements', document('<note/>'.repeat(1001))],
    ['too many octets', document(`<note>${'x'.repeat(64 * 1024)}</note>`)],
  ])('%s is refused', (_, bytes) => {
    expect(() => readPidf(bytes)).toThrow(expect.objectContaining({ kind: 'malformed' }));
  });
});

test('what is written is read again', () => {
  const note = fc.string({ unit: 'grapheme', maxLength: 100 }).map((text) => text.replace(/\p{Cc}/gu, '').trim());
  const own = fc.record({
    basic: fc.constantFrom('open' as const, 'closed' as const),
    activity: fc.constantFrom(undefined, 'away' as const, 'busy' as const),
    note,
  });
  fc.assert(
    fc.property(own, ({ activity, ...rest }) => {
      const given = { entity: 'sip:alice@example.org', tupleId: '01ab', at: 0, ...rest };
      const read = readPidf(writePidf({ ...given, ...(activity === undefined ? {} : { activity }) }));
      expect(read.activities).toEqual(activity === undefined ? [] : [activity]);
      expect(read.tuples).toEqual([
        {
          id: 't01ab',
          basic: rest.basic,
          contact: 'sip:alice@example.org',
          timestamp: '1970-01-01T00:00:00.000Z',
          ...(rest.note === '' ? {} : { note: rest.note }),
        },
      ]);
    }),
    { seed: 20260731 },
  );
  expect(() => writePidf({ entity: 'sip:a@b', basic: 'open', note: '\u0000', tupleId: 'a', at: 0 })).toThrow(/control/);
});
