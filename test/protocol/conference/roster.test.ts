import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { readConferenceInfo, Roster } from '../../../src/protocol/conference/index.ts';

const room = 'sip:chatroom22@chat.example.com';

function document(attributes: string, inside: string, extra = ''): Uint8Array {
  return utf8(`<?xml version="1.0" encoding="UTF-8"?>
<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" xmlns:xcon="urn:ietf:params:xml:ns:xcon-conference-info" entity="${room}" ${attributes}>${extra}${inside}</conference-info>`);
}

function user(name: string, { nickname = '', state = '', endpoint = '', status = 'connected' } = {}): string {
  const nick = nickname === '' ? '' : ` xcon:nickname-is-not-this="x" nickname="${nickname}"`;
  const of = state === '' ? '' : ` state="${state}"`;
  const where = endpoint === '' ? `sip:${name}@192.0.2.1` : endpoint;
  const device = status === '' ? '' : `<endpoint entity="${where}"><status>${status}</status></endpoint>`;
  return `<user entity="sip:${name}@example.com"${of}${nick}><display-text>${name}</display-text><roles><entry>participant</entry></roles>${device}</user>`;
}

const users = (state: string, ...of: string[]): string => `<users state="${state}">${of.join('')}</users>`;

describe('a document of the conference event package (RFC 4575)', () => {
  it('tells subject, count and users', () => {
    const info = readConferenceInfo(
      document(
        'state="full" version="1"',
        users('full', user('alice', { nickname: 'Alice the great' }), user('bob')),
        '<conference-description><display-text>Weather</display-text><subject>Rain</subject></conference-description><conference-state><user-count>2</user-count></conference-state>',
      ),
    );
    expect(info).toMatchObject({
      entity: room,
      state: 'full',
      version: 1,
      subject: 'Rain',
      displayText: 'Weather',
      userCount: 2,
    });
    expect(info.users?.users).toMatchObject([
      {
        entity: 'sip:alice@example.com',
        nickname: 'Alice the great',
        displayText: 'alice',
        roles: ['participant'],
        endpoints: [{ entity: 'sip:alice@192.0.2.1', status: 'connected' }],
      },
      { entity: 'sip:bob@example.com' },
    ]);
    expect(info.users?.users[1]).not.toHaveProperty('nickname');
  });

  test.each([
    ['another document', utf8('<resource xmlns="urn:x" entity="a"/>')],
    ['no entity', utf8('<conference-info xmlns="urn:ietf:params:xml:ns:conference-info"/>')],
    ['a user without entity', document('version="1"', '<users><user/></users>')],
    ['an unknown state', document('state="half" version="1"', '')],
    ['a document type', utf8('<!DOCTYPE x [<!ENTITY a "b">]><x/>')],
    ['no XML', utf8('hello')],
    ['too much', document('version="1"', `<users>${'<user entity="sip:a@b"/>'.repeat(25_000)}</users>`)],
  ])('%s is refused', (_name, bytes) => {
    expect(() => readConferenceInfo(bytes)).toThrow(ProtocolError);
  });

  it('reads or refuses every mutation', () => {
    const whole = document('state="full" version="1"', users('full', user('alice')));
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }), (position, octet) => {
        const changed = Uint8Array.from(whole);
        changed[position] = octet;
        try {
          readConferenceInfo(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { seed: 4575, numRuns: 500 },
    );
  });
});

describe('the roster (RFC 4575 section 4.6)', () => {
  const full = (version: number, ...of: string[]) =>
    document(`state="full" version="${version}"`, users('full', ...of));
  const partial = (version: number, ...of: string[]) =>
    document(`state="partial" version="${version}"`, users('partial', ...of));
  const names = (roster: Roster): string[] => roster.entries().map(({ entity }) => entity);

  it('takes a whole, then changes in turn', () => {
    const roster = new Roster();
    expect(roster.apply(readConferenceInfo(full(1, user('alice'), user('bob'))))).toBe('changed');
    expect(roster.apply(readConferenceInfo(partial(2, user('carol'), user('bob', { state: 'deleted' }))))).toBe(
      'changed',
    );
    expect(names(roster)).toEqual(['sip:alice@example.com', 'sip:carol@example.com']);
    expect(
      roster.apply(readConferenceInfo(partial(3, user('alice', { state: 'partial', nickname: 'Al', status: '' })))),
    ).toBe('changed');
    expect(roster.entries()[0]).toMatchObject({ nickname: 'Al', displayText: 'alice', isPresent: true });
  });

  test.each([
    ['a change before any whole', [], partial(1, user('alice')), 'gap'],
    ['a change after a lost one', [full(1, user('alice'))], partial(3, user('bob')), 'gap'],
    ['a change that came already', [full(2, user('alice'))], partial(2, user('bob')), 'old'],
    ['an older whole', [full(5, user('alice'))], full(4, user('bob')), 'old'],
    ['a change without a version', [full(1, user('alice'))], document('state="partial"', ''), 'gap'],
  ] as const)('%s changes nothing', (_name, before, last, expected) => {
    const roster = new Roster();
    for (const bytes of before) roster.apply(readConferenceInfo(bytes));
    const known = roster.entries();
    expect(roster.apply(readConferenceInfo(last))).toBe(expected);
    expect(roster.entries()).toEqual(known);
  });

  it('knows who left with the last device', () => {
    const roster = new Roster();
    roster.apply(readConferenceInfo(full(1, user('alice', { endpoint: 'sip:a@192.0.2.1' }))));
    const change = (version: number, endpoint: string, status: string) =>
      roster.apply(readConferenceInfo(partial(version, user('alice', { state: 'partial', endpoint, status }))));
    change(2, 'sip:a@192.0.2.2', 'connected');
    change(3, 'sip:a@192.0.2.1', 'disconnected');
    expect(roster.entries()).toMatchObject([{ isPresent: true }]);
    change(4, 'sip:a@192.0.2.2', 'disconnected');
    expect(roster.entries()).toMatchObject([{ isPresent: false }]);
  });

  it('is empty when the conference is over', () => {
    const roster = new Roster();
    roster.apply(readConferenceInfo(full(1, user('alice'))));
    expect(roster.apply(readConferenceInfo(document('state="deleted" version="2"', '')))).toBe('ended');
    expect(roster.entries()).toEqual([]);
  });

  it('keeps no more people than it may', () => {
    const roster = new Roster();
    roster.apply(readConferenceInfo(full(1)));
    for (let version = 2; version < 12; version++) {
      const many = Array.from({ length: 600 }, (_, index) => `<user entity="sip:${version}.${index}@example.com"/>`);
      roster.apply(readConferenceInfo(partial(version, ...many)));
    }
    expect(roster.entries()).toHaveLength(5_000);
  });
});
