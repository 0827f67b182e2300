import { FakeClock } from '../../../src/base/clock.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { ContactBook, contactsToVCards, importVCards } from '../../../src/engine/contacts/index.ts';
import { readVCards, writeVCard } from '../../../src/protocol/vcard/index.ts';
import { MemoryNotes } from '../../engine/support/memory-notes.ts';
import { words } from '../mutate.ts';
import { ensure, ensureSame, parsed, written, type FuzzTarget } from '../target.ts';

const newBook = (): ContactBook =>
  new ContactBook({ notes: new MemoryNotes(), clock: new FakeClock(), random: secureRandom, log: silentLogger });

/** A file of cards that somebody sent: read, taken into an address book, and given again. */
export const vcard: FuzzTarget = {
  name: 'vcard',
  corpus: [
    utf8(
      'BEGIN:VCARD\r\nVERSION:4.0\r\nUID:urn:uuid:1\r\nFN:Alice\\, A.\r\nIMPP;PREF=1:sip:alice@example.org\r\n' +
        'item1.TEL;TYPE="work,voice";VALUE=uri:tel:+15550100;ext=1\r\nORG:ABC\\, Inc.;Marketing\r\nNOTE:long \r\n line\\n2\r\n' +
        'PHOTO:data:image/png;base64,iVBORw0KGgo=\r\nEND:VCARD\r\n',
    ),
    utf8(
      'BEGIN:VCARD\nVERSION:2.1\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=\n=C3=BCrgen;;;\nTEL;CELL:+49 151\n' +
        'PHOTO;PNG;BASE64:iVBOR\n w0KGgo=\n\nX-SIP:a@b\nEND:VCARD\nBEGIN:VCARD\nVERSION:3.0\nFN:B\nURL:sip:b@c\nEND:VCARD',
    ),
  ],
  tokens: words(
    'BEGIN:VCARD\r\n',
    'END:VCARD\r\n',
    'VERSION:2.1\n',
    'VERSION:3.0\r\n',
    '\r\n ',
    '\n\t',
    '=\n',
    ';ENCODING=QUOTED-PRINTABLE:',
    ';CHARSET=UTF-16',
    ';ENCODING=b:',
    '\\n',
    '\\',
    '^n',
    '^',
    '"',
    '=C3',
    '(0)',
    'UID:tessera:',
    'KIND:group\r\n',
    'IMPP:sip:a@b\r\n',
    'TEL:+1\r\n',
    'NOTE:\u0085\u2028\r\n',
  ),
  check: (input) => {
    const file = parsed(() => readVCards(input));
    if (file === undefined) return;
    for (const { properties } of file.cards) {
      const text = written(() => writeVCard(properties));
      if (text === undefined) continue;
      const [again] = readVCards(utf8(text)).cards;
      // A property VERSION or one of vCard 2.1 that says how it is encoded means something else when it is written as it is.
      if (properties.some(({ parameters }) => parameters.has('ENCODING') || parameters.has('CHARSET'))) continue;
      ensureSame(again?.properties, properties, 'another card after writing and reading');
    }
    const book = newBook();
    const report = importVCards(book, input);
    ensure(report.cards.length === file.cards.length, 'a card that nothing is said of');
    const other = newBook();
    if (book.size > 0) importVCards(other, contactsToVCards(book.list()));
    ensure(other.size === book.size, 'another number of contacts after giving and taking');
    const shown = (contacts: ContactBook): string[] =>
      contacts
        .list()
        .map(({ name, addresses, note, photo }) => JSON.stringify([addresses, name, note, photo]))
        .sort();
    ensureSame(shown(other), shown(book), 'other contacts after giving and taking');
  },
};
