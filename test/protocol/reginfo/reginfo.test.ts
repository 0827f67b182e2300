import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { readReginfo, RegistrationTable, type ReginfoDocument } from '../../../src/protocol/reginfo/index.ts';

const document = (inside: string, attributes = 'version="0" state="full"'): Uint8Array =>
  utf8(`<?xml version="1.0"?>
<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" xmlns:gr="urn:ietf:params:xml:ns:gruuinfo" ${attributes}>${inside}</reginfo>`);

// RFC 3680 clause 6, first NOTIFY.
const example = document(`
  <registration aor="sip:joe@example.com" id="a7" state="active">
    <contact id="76" state="active" event="registered" duration-registered="7322" q="0.8">
      <uri>sip:joe@pc887.example.com</uri>
    </contact>
    <contact id="77" state="terminated" event="expired" duration-registered="3600" q="0.5">
      <uri>sip:joe@university.edu</uri>
    </contact>
  </registration>`);

describe('readReginfo', () => {
  it('reads the example of RFC 3680', () => {
    expect(readReginfo(example)).toEqual({
      version: 0,
      isFull: true,
      registrations: [
        {
          aor: 'sip:joe@example.com',
          id: 'a7',
          state: 'active',
          contacts: [
            expect.objectContaining({
              id: '76',
              isActive: true,
              event: 'registered',
              uri: 'sip:joe@pc887.example.com',
            }),
            expect.objectContaining({ id: '77', isActive: false, event: 'expired', uri: 'sip:joe@university.edu' }),
          ],
        },
      ],
    });
  });

  it('reads names, instances and times, and leaves what is of others', () => {
    const [registration] = readReginfo(
      document(`<registration aor="sip:a@b" id="1" state="active" more="1"><other xmlns="urn:x"/>
        <contact id="2" state="terminated" event="probation" retry-after="120" expires="60" callid="c" cseq="1">
          <uri>sip:a@192.0.2.1</uri><display-name xml:lang="en">Desk &amp; phone</display-name>
          <unknown-param name="+sip.instance">"&lt;urn:uuid:1234&gt;"</unknown-param>
          <unknown-param name="audio"/><gr:pub-gruu uri="sip:a@b;gr=1"/>
        </contact></registration>`),
    ).registrations;
    expect(registration?.contacts).toEqual([
      {
        id: '2',
        isActive: false,
        event: 'probation',
        uri: 'sip:a@192.0.2.1',
        expires: 60,
        retryAfter: 120,
        displayName: 'Desk & phone',
        instanceId: 'urn:uuid:1234',
      },
    ]);
  });

  it('takes an event of a later version for one that it does not know', () => {
    const contact = '<contact id="2" state="active" event="teleported"><uri>sip:a@b</uri></contact>';
    const read = readReginfo(document(`<registration aor="sip:a@b" id="1" state="active">${contact}</registration>`));
    expect(read.registrations[0]?.contacts[0]?.event).toBeUndefined();
  });

  it.each([
    ['no XML', utf8('hello')],
    ['another document', utf8('<presence xmlns="urn:ietf:params:xml:ns:pidf"/>')],
    ['another namespace', utf8('<reginfo version="0" state="full"/>')],
    ['no version', document('', 'state="full"')],
    ['a version that is no number', document('', 'version="-1" state="full"')],
    ['another state', document('', 'version="1" state="some"')],
    ['a registration without address', document('<registration id="1" state="active"/>')],
    ['a registration in another state', document('<registration aor="sip:a@b" id="1" state="asleep"/>')],
    [
      'a contact without address',
      document('<registration aor="sip:a@b" id="1" state="active"><contact id="1" state="active"/></registration>'),
    ],
    ['a document type', utf8('<!DOCTYPE a [<!ENTITY b "c">]><reginfo/>')],
    ['more than 256 KiB', document(' '.repeat(300_000))],
    ['more than 5000 elements', document('<a/>'.repeat(6000))],
    ['an address above 1024 characters', document(`<registration aor="${'a'.repeat(2000)}" id="1" state="active"/>`)],
  ])('refuses %s', (_, bytes) => {
    expect(() => readReginfo(bytes)).toThrow(expect.objectContaining({ kind: 'malformed' }));
  });

  it('never fails otherwise, whatever is cut or turned', () => {
    fc.assert(
      fc.property(fc.nat(example.length - 1), fc.nat(255), (at, octet) => {
        const changed = Uint8Array.from(example);
        changed[at] = octet;
        for (const bytes of [changed, example.slice(0, at)]) {
          try {
            readReginfo(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
        }
      }),
      { seed: 3680, numRuns: 400 },
    );
  });
});

describe('RegistrationTable', () => {
  const contact = (id: string, isActive = true): string =>
    `<contact id="${id}" state="${isActive ? 'active' : 'terminated'}" event="${isActive ? 'registered' : 'rejected'}"><uri>sip:${id}@x</uri></contact>`;
  const of = (version: number, state: string, contacts: string, registration = 'active'): ReginfoDocument =>
    readReginfo(
      document(
        `<registration aor="sip:a@b" id="1" state="${registration}">${contacts}</registration>`,
        `version="${version}" state="${state}"`,
      ),
    );
  const idsOf = (table: RegistrationTable): string[] =>
    table.registrations.flatMap(({ contacts }) => contacts.map(({ id }) => id));

  it('keeps what is active, over full and partial documents', () => {
    const table = new RegistrationTable();
    expect(table.apply(of(3, 'full', contact('a') + contact('b', false))).kind).toBe('updated');
    expect(idsOf(table)).toEqual(['a']);
    table.apply(of(4, 'partial', contact('c')));
    expect(idsOf(table)).toEqual(['a', 'c']);
    table.apply(of(5, 'partial', contact('a', false)));
    expect(idsOf(table)).toEqual(['c']);
    table.apply(of(9, 'full', contact('d')));
    expect(idsOf(table)).toEqual(['d']);
    table.apply(of(10, 'partial', '', 'terminated'));
    expect(table.registrations).toEqual([]);
  });

  it('leaves old documents and says when one is missing', () => {
    const table = new RegistrationTable();
    expect(table.apply(of(1, 'partial', contact('a'))).kind).toBe('gap');
    table.apply(of(1, 'full', contact('a')));
    expect(table.apply(of(1, 'full', contact('b'))).kind).toBe('old');
    expect(table.apply(of(0, 'partial', contact('b'))).kind).toBe('old');
    expect(table.apply(of(3, 'partial', contact('b'))).kind).toBe('gap');
    expect(idsOf(table)).toEqual(['a']);
  });
});
