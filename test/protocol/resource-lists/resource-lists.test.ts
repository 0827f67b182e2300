import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import {
  decodeResourceLists,
  encodeResourceLists,
  resourceListsLimits,
  type ListedRecipient,
} from '../../../src/protocol/resource-lists/index.ts';

const open =
  '<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists" xmlns:cp="urn:ietf:params:xml:ns:copycontrol">';
const document = (content: string) => utf8(`<?xml version="1.0"?>${open}${content}</resource-lists>`);

describe('a list of recipients', () => {
  it('is read as the example of RFC 5365 has it: copy control, names and foreign elements', () => {
    const list = document(
      [
        '<list name="all"><display-name>All</display-name>',
        '<entry uri="sip:bill@example.com" cp:copyControl="to"><display-name>Bill</display-name></entry>',
        '<x:more xmlns:x="urn:x"/>',
        '<list><entry uri="sip:joe@example.org" cp:copyControl="cc"/></list>',
        '<entry uri="sip:ted@example.net" cp:copyControl="bcc"/>',
        '<entry uri="sip:ann@example.net" copyControl="cc"/>',
        '</list>',
      ].join(''),
    );
    expect(decodeResourceLists(list)).toEqual([
      { uri: 'sip:bill@example.com', copyControl: 'to' },
      { uri: 'sip:joe@example.org', copyControl: 'cc' },
      { uri: 'sip:ted@example.net', copyControl: 'bcc' },
      { uri: 'sip:ann@example.net' },
    ]);
  });

  it('tells each once, and nobody who wants to be anonymous', () => {
    const list = document(
      [
        '<list><entry uri="sip:a@b"/><entry uri="sip:a@b" cp:copyControl="cc"/>',
        '<entry uri="sip:anonymous1@anonymous.invalid" cp:anonymize="true"/></list>',
      ].join(''),
    );
    expect(decodeResourceLists(list)).toEqual([{ uri: 'sip:a@b' }]);
  });

  it('is given back as it was written', () => {
    const recipient: fc.Arbitrary<ListedRecipient> = fc.record(
      {
        uri: fc.stringMatching(/^sip:[a-z0-9&"<>'%-]{1,12}@[a-z.]{1,12}$/),
        copyControl: fc.constantFrom('to', 'cc', 'bcc'),
      },
      { requiredKeys: ['uri'] },
    );
    const lists = fc.uniqueArray(recipient, { minLength: 1, maxLength: 20, selector: ({ uri }) => uri });
    fc.assert(
      fc.property(lists, (recipients) => {
        expect(decodeResourceLists(encodeResourceLists(recipients))).toEqual(recipients);
      }),
      { seed: 5365 },
    );
  });

  it.each([
    ['text', utf8('hello'), 'malformed', 400],
    ['another document', utf8('<list xmlns="urn:ietf:params:xml:ns:resource-lists"/>'), 'malformed', 400],
    ['an entry without its address', document('<list><entry/></list>'), 'malformed', 400],
    ['an address with a blank', document('<list><entry uri="sip:a b"/></list>'), 'malformed', 400],
    ['a document type', utf8(`<!DOCTYPE a>${open}</resource-lists>`), 'malformed', 400],
    ['lists in lists without end', document('<list>'.repeat(9) + '</list>'.repeat(9)), 'malformed', 400],
    ['a list elsewhere', document('<list><external anchor="http://x"/></list>'), 'unsupported', 415],
    ['an entry elsewhere', document('<list><entry-ref ref="a"/></list>'), 'unsupported', 415],
    [
      'too many',
      document(
        `<list>${Array.from({ length: resourceListsLimits.entries + 1 }, (_, at) => `<entry uri="sip:${at}@b"/>`).join('')}</list>`,
      ),
      'malformed',
      400,
    ],
  ])('that is %s is refused', (_case, bytes, kind, sip) => {
    expect(() => decodeResourceLists(bytes)).toThrow(expect.objectContaining({ kind, hint: { sip } }));
  });

  it('of nobody, of too many or with control characters is not written', () => {
    const many = Array.from({ length: resourceListsLimits.entries + 1 }, (_, at) => ({ uri: `sip:${at}@b` }));
    for (const recipients of [[], many, [{ uri: 'sip:a\u0000@b' }]]) {
      expect(() => encodeResourceLists(recipients)).toThrow(expect.objectContaining({ kind: 'local' }));
    }
    expect(fromUtf8(encodeResourceLists([{ uri: 'sip:a@b', copyControl: 'to' }]))).toContain(
      '<list><entry uri="sip:a@b" cp:copyControl="to"/></list>',
    );
  });
});
