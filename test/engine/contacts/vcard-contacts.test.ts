import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { toBase64, utf8 } from '../../../src/base/bytes.ts';
import { FakeClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { ContactBook, contactsToVCards, contactToVCard, importVCards } from '../../../src/engine/contacts/index.ts';
import { MemoryNotes } from '../support/memory-notes.ts';

const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3);
const newBook = (): ContactBook =>
  new ContactBook({ notes: new MemoryNotes(), clock: new FakeClock(), random: secureRandom, log: silentLogger });
const file = (...lines: string[]): Uint8Array => utf8(['BEGIN:VCARD', ...lines, 'END:VCARD'].join('\r\n'));

let book: ContactBook;
beforeEach(() => (book = newBook()));

describe('taking cards', () => {
  test('a card of 4.0 with everything that a contact has', () => {
    const report = importVCards(
      book,
      file(
        'VERSION:4.0',
        'UID:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1',
        'FN;PREF=2:Second',
        'FN;PREF=1:Alice Ä.',
        'IMPP;PREF=2:sip:Alice@Example.ORG;transport=tls',
        'TEL;VALUE=uri;PREF=1:tel:+1-555-0100;ext=5',
        'item1.X-SIP:alice@example.com',
        'URL:sips:alice@example.net',
        'ORG:ABC\\, Inc.;Marketing',
        'NOTE:line one\\nline two',
        `PHOTO:data:image/png;base64,${toBase64(png)}`,
      ),
    );
    expect(report).toMatchObject({ problems: [], cards: [{ outcome: 'added', line: 1, leftOut: [] }] });
    expect(book.list()).toMatchObject([
      {
        name: 'Alice Ä.',
        addresses: ['tel:+15550100', 'sip:Alice@example.org', 'sip:alice@example.com', 'sip:alice@example.net'],
        organisation: 'ABC, Inc., Marketing',
        note: 'line one\nline two',
        photo: { contentType: 'image/png', base64: toBase64(png) },
        uid: 'urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1',
      },
    ]);
  });

  test('a card of 3.0 as phones write it: N without FN, a preferred type, base64', () => {
    importVCards(
      book,
      file(
        'VERSION:3.0',
        'N:Müller;Jürgen;K.;Dr.;jun.',
        'TEL;TYPE=CELL:+49 (0)151 / 555-01',
        'TEL;TYPE=WORK,pref:+49 30 123',
        `PHOTO;ENCODING=b;TYPE=PNG:${toBase64(png)}`,
      ),
    );
    expect(book.list()).toMatchObject([
      { name: 'Dr. Jürgen K. Müller jun.', addresses: ['tel:+4930123', 'tel:+4915155501'] },
    ]);
    expect(book.list()[0]?.photo?.contentType).toBe('image/png');
  });

  test('what is not taken is told, with the reason', () => {
    const { cards } = importVCards(
      book,
      file(
        'VERSION:4.0',
        'FN:Alice',
        'IMPP:sip:alice@example.org',
        'IMPP:xmpp:alice@example.org',
        'TEL:030 123',
        'URL:https://example.org',
        'EMAIL:alice@example.org',
        'PHOTO:https://example.org/alice.png',
        `PHOTO:data:image/svg+xml;base64,${toBase64(utf8('<svg/>'))}`,
        `PHOTO:data:image/png;base64,${toBase64(new Uint8Array(70_000))}`,
        `NOTE:${'x'.repeat(9_000)}`,
      ),
    );
    expect(cards[0]?.outcome).toBe('added');
    expect(cards[0]?.leftOut).toEqual([
      { property: 'IMPP', why: 'It is an address of another service' },
      { property: 'TEL', why: 'It is no number with its country, like +1 555 0100' },
      { property: 'URL', why: 'It is a page and no address' },
      { property: 'EMAIL', why: 'A contact here has no place for it' },
      { property: 'PHOTO', why: 'It is a picture on a server, and none is ever fetched' },
      { property: 'PHOTO', why: 'It is no PNG, JPEG or WebP picture' },
      { property: 'PHOTO', why: 'The picture is larger than 64 KiB' },
      { property: 'NOTE', why: 'Only the first 8192 characters are kept' },
    ]);
  });

  test.each([
    ['a card without an address', ['FN:Alice', 'EMAIL:a@b'], /no SIP address/],
    ['a list', ['KIND:group', 'FN:Friends', 'IMPP:sip:friends@example.org'], /list of other cards/],
  ])('%s is refused', (_, lines, why) => {
    const { cards } = importVCards(book, file('VERSION:4.0', ...lines));
    expect(cards).toMatchObject([{ outcome: 'refused', why: expect.stringMatching(why) as string }]);
    expect(book.size).toBe(0);
  });

  test('a card of a contact that is there adds what it lacks and replaces nothing', () => {
    book.put({ name: 'Carol', addresses: ['sip:carol@example.org'] });
    const put = book.put({
      name: 'My Alice',
      addresses: ['sip:alice@example.org'],
      note: 'mine',
      policy: 'require-e2e',
    });
    const lines = [
      'FN:Alice',
      'IMPP:sip:alice@example.org',
      'IMPP:sip:carol@example.org',
      'TEL:+15550100',
      'NOTE:theirs',
      'ORG:ABC',
    ];
    const first = importVCards(book, file('VERSION:4.0', ...lines)).cards[0];
    expect(first).toMatchObject({ outcome: 'updated', contact: { id: put.outcome === 'kept' ? put.contact.id : '' } });
    expect(first?.contact).toMatchObject({
      name: 'My Alice',
      note: 'mine',
      organisation: 'ABC',
      policy: 'require-e2e',
      addresses: ['sip:alice@example.org', 'tel:+15550100'],
    });
    expect(importVCards(book, file('VERSION:4.0', ...lines)).cards[0]?.outcome).toBe('unchanged');
    expect(book.size).toBe(2);
  });
});

describe('giving cards', () => {
  test('no policy, receipt switch or history leaves the device', () => {
    const put = book.put({
      name: 'Alice',
      addresses: ['sip:alice@example.org'],
      policy: 'require-e2e',
      accountPolicies: { 'sip:me@lab.test': 'any' },
      receipts: { display: false },
    });
    const text = put.outcome === 'kept' ? contactToVCard(put.contact) : '';
    expect(text).toBe(
      [
        'BEGIN:VCARD',
        'VERSION:4.0',
        'FN:Alice',
        `UID;VALUE=text:tessera:${put.outcome === 'kept' ? put.contact.id : ''}`,
        'IMPP;PREF=1:sip:alice@example.org',
        'REV:20260101T000000Z',
        'END:VCARD',
        '',
      ].join('\r\n'),
    );
  });

  test('the same book again, and the same contacts after another import', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 60 });
    const address = fc
      .integer({ min: 0, max: 99_999 })
      .chain((n) => fc.constantFrom(`sip:u${n}@example.org`, `tel:+1${n}`));
    const draft = fc.record({
      name: text,
      addresses: fc.uniqueArray(address, { minLength: 1, maxLength: 5 }),
      organisation: text,
      note: text,
      photo: fc.constantFrom(undefined, png),
    });
    fc.assert(
      fc.property(fc.array(draft, { maxLength: 6 }), (drafts) => {
        const from = newBook();
        for (const { photo, ...rest } of drafts) from.put({ ...rest, ...(photo === undefined ? {} : { photo }) });
        if (from.size === 0) return;
        const octets = contactsToVCards(from.list());
        const to = newBook();
        const report = importVCards(to, octets);
        expect(report.problems).toEqual([]);
        expect(report.cards.every(({ outcome, leftOut }) => outcome === 'added' && leftOut.length === 0)).toBe(true);
        const shown = (shownBook: ContactBook): unknown =>
          shownBook
            .list()
            .map(({ name, addresses, organisation, note, photo }) => ({ name, addresses, organisation, note, photo }))
            .sort((a, b) => ((a.addresses[0] ?? '') < (b.addresses[0] ?? '') ? -1 : 1));
        expect(shown(to)).toEqual(shown(from));
        for (const same of [importVCards(from, octets), importVCards(to, octets)]) {
          expect(same.cards.every(({ outcome }) => outcome === 'unchanged')).toBe(true);
        }
      }),
      { seed: 20260731, numRuns: 60 },
    );
  });
});
