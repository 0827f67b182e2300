import { describe, expect, it } from 'vitest';

import { concatBytes, toBase64, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import type { TreeNode } from '../../../src/base/tree-reader.ts';
import { inspectOctets } from '../../../src/cli/inspect/inspect-octets.ts';
import type { InspectedItem } from '../../../src/cli/inspect/item.ts';
import { colourPaint, isWhole, plainPaint, renderItem } from '../../../src/cli/inspect/render.ts';
import {
  cmsSamples,
  cpimSamples,
  httpSamples,
  imdnSamples,
  msrpSamples,
  multipartSamples,
  sdpSamples,
  sipSamples,
} from '../../fuzz/targets/samples.ts';
import { hex, vectors } from '../../protocol/mikey/vectors.ts';

const now = Date.UTC(2026, 0, 1);
const scenario = vectors.scenarios[0]!;
const transfer = hex(scenario.messages['transfer_init']);

const inspect = (bytes: Uint8Array, options = {}): InspectedItem => inspectOctets(bytes, { now, ...options }, 'test');
const outline = ({ format, where, contains }: InspectedItem): string[] => [
  `${format} | ${where}`,
  ...contains.flatMap(outline),
];
const all = (node: TreeNode): TreeNode[] => [node, ...(node.children ?? []).flatMap(all)];

describe('what an input is', () => {
  it.each([
    ['octets', transfer, 'test'],
    ['hex', utf8(scenario.messages['transfer_init']!), 'test, hex'],
    ['base64', utf8(toBase64(transfer)), 'test, base64'],
    [
      'base64url',
      utf8(toBase64(transfer).replaceAll('+', '-').replaceAll('/', '_').replace(/=*$/, '')),
      'test, base64url',
    ],
  ])('a MIKEY message in %s', (_, bytes, where) => {
    const item = inspect(bytes);
    expect(outline(item)).toEqual([`MIKEY message | ${where}`]);
    expect(item.octets).toBe(transfer.length);
    expect(isWhole(item)).toBe(true);
  });

  it('a ticket and a policy, bare or as payloads', () => {
    const ticket = hex(scenario.trace['ticket']!['payload']);
    expect(outline(inspect(ticket))).toEqual(['TICKET payload | test']);
    expect(outline(inspect(ticket.subarray(1)))).toEqual(['MIKEY ticket | test']);
    const policy = ticket.subarray(0, 10 + ((ticket[8] ?? 0) << 8) + (ticket[9] ?? 0));
    const items = [policy, policy.subarray(1)].map((bytes) => inspect(bytes));
    expect(items.flatMap(outline)).toEqual(['TP payload | test', 'MIKEY ticket policy | test']);
    expect(items.map(isWhole)).toEqual([true, true]);
  });

  it('the SDP of the vectors, by its key management line alone', () => {
    for (const { sdp, messages } of vectors.scenarios) {
      for (const [name, line] of Object.entries(sdp)) {
        const item = inspect(utf8(line));
        expect(outline(item)).toEqual([
          'lines of an SDP | test',
          'MIKEY message | a=key-mgmt of line 1, session level, base64',
        ]);
        expect(item.contains[0]!.octets).toBe(hex(messages[name]).length);
        expect(isWhole(item)).toBe(true);
      }
    }
  });

  it('every key management line of an SDP, wherever it stands', () => {
    expect(outline(inspect(sdpSamples[0]!))).toEqual([
      'SDP | test',
      'MIKEY message | a=key-mgmt of line 6, session level, base64',
      'MIKEY message | a=key-mgmt of line 13, media 1 (message), base64',
    ]);
    const other = inspect(utf8('log: 12\n  a=key-mgmt:kerberos AAAA\n'));
    expect(outline(other)).toEqual(['lines of an SDP | test', 'unknown | a=key-mgmt of line 2, session level']);
    expect(isWhole(other)).toBe(false);
  });

  it('a SIP MESSAGE with MIKEY and CMS inside', () => {
    const item = inspect(sipSamples[1]!);
    expect(outline(item)).toEqual([
      'SIP message | test',
      'MIME multipart | body (multipart/mixed)',
      'MIKEY message | part 1 (application/mikey), base64',
      'CMS | part 2 (application/pkcs7-mime)',
    ]);
    expect(isWhole(item)).toBe(true);
    expect([item, ...item.contains, ...item.contains[0]!.contains].map(({ refusal }) => refusal)).toEqual(
      Array<undefined>(4).fill(undefined),
    );
  });

  it('a multipart body without its header, an HTTP exchange, a stream of SIP messages', () => {
    expect(outline(inspect(multipartSamples[0]!.body)).slice(0, 2)).toEqual([
      'MIME multipart | test',
      'MIKEY message | part 1 (application/mikey), base64',
    ]);
    expect(outline(inspect(httpSamples[0]!))).toEqual([
      'HTTP message | test',
      'MIKEY message | body (application/mikey), base64',
    ]);
    expect(outline(inspect(concatBytes(sipSamples[0]!, sipSamples[3]!)))).toEqual([
      'SIP message | test',
      'SIP message | behind the body',
      'CPIM | body (message/cpim)',
    ]);
  });

  it('MSRP with CPIM inside, IMDN, CPIM', () => {
    expect(outline(inspect(concatBytes(...msrpSamples)))).toEqual(['MSRP | test', 'CPIM | body 1 (message/cpim)']);
    expect(outline(inspect(imdnSamples[0]!))).toEqual(['IMDN | test']);
    expect(outline(inspect(cpimSamples[0]!))).toEqual(['CPIM | test']);
    for (const bytes of [...msrpSamples, ...imdnSamples, ...cpimSamples]) expect(isWhole(inspect(bytes))).toBe(true);
  });

  it('CMS by the names of its fields, also as PEM and base64', () => {
    const names = ['keyIdentifier', 'keyEncryptionAlgorithm', 'aes-nonce', 'aes-ICVlen', 'encryptedContent', 'mac'];
    const pem = `-----BEGIN CMS-----\n${toBase64(cmsSamples[0]!)}\n-----END CMS-----\n`;
    for (const bytes of [cmsSamples[0]!, utf8(toBase64(cmsSamples[0]!)), utf8(pem)]) {
      const item = inspect(bytes);
      expect(item.format).toBe('CMS');
      expect(item.refusal).toBeUndefined();
      expect(all(item.tree).map(({ name }) => name)).toEqual(expect.arrayContaining(names));
    }
  });

  it('something else: said, not guessed', () => {
    const item = inspect(utf8('good morning!'));
    expect(item).toMatchObject({ format: 'unknown', stops: [{ offset: 0, field: 'input' }] });
    expect(isWhole(item)).toBe(false);
    expect(inspect(new Uint8Array()).format).toBe('unknown');
  });

  it('what the caller says it is', () => {
    const item = inspectOctets(Uint8Array.of(9, 1, 1), { now }, 'test', 'mikey');
    expect(item.format).toBe('MIKEY message');
    expect(item.stops).toHaveLength(1);
  });
});

describe('damaged text around a message', () => {
  it('base64 is read up to the first wrong character', () => {
    const text = toBase64(transfer);
    const item = inspect(utf8(`${text.slice(0, 100)}!${text.slice(100)}`));
    expect(item.format).toBe('MIKEY message');
    expect(item.octets).toBe(75);
    expect(item.stops[0]).toMatchObject({ offset: 100, field: 'base64 text', problem: 'unexpected character' });
    expect(item.stops.length).toBeGreaterThan(1);
  });

  it('a body shorter than Content-Length is shown as far as it goes', () => {
    const item = inspect(sipSamples[1]!.subarray(0, -200));
    expect(item.stops).toMatchObject([{ problem: expect.stringContaining('Content-Length says') as string }]);
    expect(item.refusal).toContain('shorter than Content-Length');
    expect(outline(item)).toContain('MIKEY message | part 1 (application/mikey), base64');
  });

  it('an MSRP frame without its end-line says what is missing', () => {
    const item = inspect(msrpSamples[0]!.subarray(0, -30));
    expect(item.stops.at(-1)).toMatchObject({ field: 'MSRP.frame 1.end-line', problem: 'missing' });
  });

  it.each([
    ['SIP', sipSamples[1]!],
    ['SDP', sdpSamples[0]!],
    ['MSRP', msrpSamples[0]!],
    ['CPIM', cpimSamples[0]!],
    ['CMS', cmsSamples[0]!],
  ])('%s cut at any length is shown', { timeout: 60_000 }, (_, bytes) => {
    for (let length = 0; length < bytes.length; length += 3) {
      const item = inspect(bytes.subarray(0, length));
      expect(renderItem(item, plainPaint).length).toBeGreaterThan(1);
    }
  });
});

describe('the output', () => {
  it('says the place, the name, the value and the meaning in one line', () => {
    const lines = renderItem(inspect(transfer), plainPaint);
    expect(lines).toContain('     1      1    data type 14 (TRANSFER_INIT)');
    expect(lines).toContain('    67     21    ID data sip:alice@example.com');
    expect(lines.at(-1)).toMatch(/^not checked Vr: needs MPKr/);
  });

  it('carries no control character of the input to a terminal', () => {
    const bytes = utf8('MESSAGE sip:b@x SIP/2.0\r\nSubject: \u001b[31mred\u202e\r\nContent-Length: 0\r\n\r\n');
    const text = renderItem(inspect(bytes), plainPaint).join('\n');
    expect(text).toContain('\\u001b[31mred\\u202e');
    expect(text).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
    expect(renderItem(inspect(transfer), colourPaint).join('\n')).toContain('\u001b[');
  });

  it('shows no key that stands in clear in an SDP', () => {
    const key = 'd0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj';
    const sdp = `v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\nk=clear:${key}\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key}\r\n`;
    expect(JSON.stringify(inspect(utf8(sdp)))).not.toContain(key);
    const clear = hex(vectors.unit.rfc3830_psk['message_null']);
    const line = inspect(utf8(`a=key-mgmt:mikey ${toBase64(clear)}`));
    expect(isWhole(line)).toBe(true);
    expect(JSON.stringify(line)).not.toContain(vectors.unit.rfc3830_psk['tgk']);
    expect(JSON.stringify(line)).not.toContain(toBase64(clear));
  });

  it('shows deciphered keys when it is told to', () => {
    const tpk = new SecretBytes(hex(scenario.inputs['tpk']));
    const mpk = scenario.trace['ticket']!['mpk']!;
    expect(JSON.stringify(inspect(transfer, { tpk }))).not.toContain(mpk);
    expect(JSON.stringify(inspect(transfer, { tpk, showKeys: true }))).toContain(mpk);
  });
});
