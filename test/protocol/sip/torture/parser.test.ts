import { describe, expect, it } from 'vitest';
import { fromUtf8, toHex, utf8 } from '../../../../src/base/bytes.ts';
import { ProtocolError } from '../../../../src/base/errors.ts';
import { sha256 } from '../../../../src/crypto/digest.ts';
import { checkMandatoryHeaders, headerList, parseNameAddress, parseVia } from '../../../../src/protocol/sip/headers.ts';
import { parseSipMessage, serialiseSipMessage, type SipMessage } from '../../../../src/protocol/sip/message.ts';
import { expectations } from './expectations.ts';
import { tortureMessages } from './messages.ts';

const octetsOf = (name: string): Uint8Array => tortureMessages.get(name) ?? new Uint8Array();
const parsed = (name: string): SipMessage => parseSipMessage(octetsOf(name));

it('there are the 49 messages of RFC 4475, in its order', () => {
  expect([...tortureMessages.keys()]).toEqual(expectations.map(({ name }) => name));
  expect(expectations).toHaveLength(49);
});

// In the archive baddn lacks the empty line that ends its headers; the text of the RFC means another fault.
it.each(expectations.filter(({ sha256: archived }) => archived !== ''))(
  '$name is octet for octet the archived one',
  (row) => {
    expect(toHex(sha256(octetsOf(row.name))).slice(0, 16)).toBe(row.sha256);
  },
);

describe('the parser', () => {
  it.each(expectations)('$clause $name: $parser', ({ name, parser }) => {
    let outcome: 'accepted' | number = 'accepted';
    try {
      checkMandatoryHeaders(parsed(name));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      outcome = error.hint.sip ?? 0;
    }
    expect(outcome).toBe(parser);
  });

  it.each(expectations.filter(({ parser }) => parser === 'accepted'))('writes $name as it read it', ({ name }) => {
    const message = parsed(name);
    const again = parseSipMessage(serialiseSipMessage(message));
    const fields = ({ headers }: SipMessage): unknown =>
      headers.fields.filter((field) => !/^(content-length|l)$/i.test(field.name));
    expect(again.start).toEqual(message.start);
    expect(fields(again)).toEqual(fields(message));
    expect(again.body).toEqual(message.body);
  });

  it('reads folded lines, compact names and odd spacing (3.1.1.1)', () => {
    const { headers, body } = parsed('wsinv');
    expect(parseNameAddress(headers.get('From') ?? '')).toMatchObject({
      displayName: 'J Rosenberg \\"',
      uri: 'sip:jdrosen@example.com',
    });
    expect(parseNameAddress(headers.get('From') ?? '').parameters.get('tag')).toBe('98asjd8');
    expect(headers.get('Subject')).toBe('');
    expect(headerList(parsed('wsinv'), 'Via').map((via) => parseVia(via).transport)).toEqual(['UDP', 'TCP', 'UDP']);
    expect(parseNameAddress(headers.get('Contact') ?? '').displayName).toBe('Quoted string ""');
    expect(body).toHaveLength(150);
  });

  it('keeps control characters that are quoted, and characters of other scripts (3.1.1.2)', () => {
    const { headers, method } = parsed('intmeth');
    expect(method).toBe("!interesting-Method0123456789_*+`.%indeed'~");
    expect(parseNameAddress(headers.get('To') ?? '').displayName).toBe('BEL:\u0007 NUL:\u0000 DEL:\u007f');
    expect(headers.get('Call-ID')).toBe('intmeth.word%ZK-!.*_+\'@word`~)(><:\\/"][?}{');
    expect(parseNameAddress(headers.get('From') ?? '').parameters.get("fromparam''~+*_!.-%")).toBe('работающий');
  });

  it('does not take % for an escape where it is none (3.1.1.5)', () => {
    const { headers, method } = parsed('esc02');
    expect(method).toBe('RE%47IST%45R');
    expect(headers.getAll('Contact')).toHaveLength(2);
    expect(headers.has('C%6Fntact')).toBe(true);
  });

  it('drops what follows the body in a datagram (3.1.1.8)', () => {
    expect(parsed('dblreq').body).toHaveLength(0);
    expect(parsed('dblreq').method).toBe('REGISTER');
  });

  it('keeps NUL octets of a body (3.1.1.11)', () => {
    const { body } = parsed('mpart01');
    expect(body).toHaveLength(553);
    expect(body).toContain(0);
  });

  it('keeps reason phrases in other scripts, and none at all (3.1.1.12, 3.1.1.13)', () => {
    expect(parsed('unreason').start).toMatchObject({
      status: 200,
      reason: expect.stringMatching(/^= 2\*\*3 \* 5\*\*2 но/) as string,
    });
    expect(parsed('noreason').start).toEqual({ kind: 'response', status: 100, reason: '' });
  });

  it('takes no control character that is not quoted, and no line end at all', () => {
    const withTo = (value: string): Uint8Array =>
      utf8(fromUtf8(octetsOf('zeromf')).replace(/^To: .*$/m, `To: ${value}\r`));
    expect(() => parseSipMessage(withTo('"a\u0007" <sip:a@b>'))).toThrow(
      expect.objectContaining({ kind: 'malformed' }),
    );
    expect(() => parseSipMessage(withTo('"a\\\n" <sip:a@b>'))).toThrow(expect.objectContaining({ kind: 'malformed' }));
    expect(parseSipMessage(withTo('"a\\\u0007" <sip:a@b>')).headers.get('To')).toContain('\u0007');
  });
});
