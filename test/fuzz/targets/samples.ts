import { concatBytes, toBase64, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { sealAuthEnveloped } from '../../../src/protocol/cms/index.ts';
import { encodeImdn } from '../../../src/protocol/imdn/index.ts';
import { encodeMultipart } from '../../../src/protocol/mime/index.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { words } from '../mutate.ts';
import { exchanges, vectorMessages } from './mikey-world.ts';

const lines = (...texts: readonly string[]): Uint8Array => utf8(texts.map((text) => `${text}\r\n`).join(''));

export const kek = new SecretBytes(new Uint8Array(32).fill(7));

export const cpimSamples = [
  concatBytes(
    lines(
      'From: Alice <sip:alice@example.com>',
      'To: <sip:bob@example.com>',
      'NS: imdn <urn:ietf:params:imdn>',
      'imdn.Message-ID: 34jk324j',
      'DateTime: 2026-01-01T12:16:49-05:00',
      'imdn.Disposition-Notification: positive-delivery, negative-delivery',
      'Subject:;lang=fr beurre\\u0009',
      '',
      'Content-Type: text/plain;charset=utf-8',
      '',
    ),
    utf8('hello'),
  ),
  lines('To: <im:b@x>', '', 'Content-type: text/xml; charset=utf-8', 'Content-ID: <1@x>', '', '<a/>'),
];

export const cmsSamples = [16, 32].map((octets) =>
  sealAuthEnveloped({
    kek: new SecretBytes(new Uint8Array(octets).fill(7)),
    keyIdentifier: Uint8Array.of(1, 2, 3, 4, 1, 0xaa, 0xbb),
    plaintext: cpimSamples[0]!,
    random: seededRandom(`cms ${octets}`),
  }),
);

export const imdnSamples = [
  encodeImdn({ kind: 'delivery', status: 'delivered', messageId: '34jk324j', dateTime: 0, recipientUri: 'sip:b@x' }),
  encodeImdn({ kind: 'display', status: 'displayed', messageId: 'a&b', dateTime: 1e12 }),
];

const transfer = exchanges[0].transfer.message;

export const multipartSamples = [
  encodeMultipart({
    subtype: 'mixed',
    random: seededRandom('multipart'),
    parts: [
      {
        headers: [
          { name: 'Content-Type', value: 'application/mikey' },
          { name: 'Content-Transfer-Encoding', value: 'base64' },
        ],
        body: transfer,
      },
      {
        headers: [{ name: 'Content-Type', value: 'application/pkcs7-mime;smime-type=authEnveloped-data' }],
        body: cmsSamples[1]!,
      },
    ],
  }),
];

export const sdpSamples = [
  lines(
    'v=0',
    'o=- 1 1 IN IP4 192.0.2.1',
    's=-',
    'c=IN IP4 192.0.2.1',
    't=0 0',
    'a=key-mgmt:mikey AQAFgKGyw9Q=',
    'm=message 9 TCP/TLS/MSRP *',
    'a=accept-types:message/cpim text/plain',
    'a=path:msrps://192.0.2.1:9/a;tcp',
    'a=setup:active',
    'a=fingerprint:sha-256 AB:CD:EF',
    'a=3ge2ae:requested',
    `a=key-mgmt:mikey ${toBase64(transfer)}`,
    'm=audio 5004/2 RTP/AVP 0 8',
    'c=IN IP6 2001:db8::1',
    'b=AS:64',
    'a=rtpmap:0 PCMU/8000',
  ),
  lines('v=0', 'o=a 1 1 IN IP4 h', 's=x', 't=0 0', 'm=message 0 TCP/MSRP *', 'a=max-size:10', 'a=sendonly'),
];

const sipHead = (start: string, type: string, body: Uint8Array): Uint8Array =>
  concatBytes(
    lines(
      start,
      'Via: SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK1;rport',
      'Max-Forwards: 70',
      'From: "Alice, \\"A\\"" <sip:alice@example.com>;tag=1',
      'To: <sip:bob@example.com>',
      'Call-ID: 1@x',
      'CSeq: 1 MESSAGE',
      'Contact: <sip:alice@192.0.2.1:5061;transport=tls>;expires=600',
      'P-Asserted-Identity: <sip:alice@example.com>, <tel:+15550100>',
      'Security-Server: tls;q=0.1, ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1',
      'WWW-Authenticate: Digest realm="x", nonce="abc==", algorithm=SHA-256, qop="auth,auth-int"',
      `Content-Type: ${type}`,
      `Content-Length: ${body.length}`,
      '',
    ),
    body,
  );

export const sipSamples = [
  sipHead('MESSAGE sip:bob@example.com SIP/2.0', 'text/plain', utf8('hello')),
  sipHead('MESSAGE sip:bob@example.com SIP/2.0', multipartSamples[0]!.contentType, multipartSamples[0]!.body),
  sipHead('INVITE sip:bob@example.com SIP/2.0', 'application/sdp', sdpSamples[0]!),
  sipHead('SIP/2.0 200 OK', 'message/cpim', cpimSamples[0]!),
  lines('SIP/2.0 401 Unauthorized', 'v: SIP/2.0/UDP h', 'l: 0', ' folded', ''),
];

export const msrpSamples = [
  concatBytes(
    lines(
      'MSRP a786hjs2 SEND',
      'To-Path: msrps://biloxi.example.com:12763/kjhd37s2s20w2a;tcp',
      'From-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp',
      'Message-ID: 87652491',
      'Byte-Range: 1-25/25',
      'Success-Report: yes',
      'Content-Type: message/cpim',
      '',
    ),
    cpimSamples[0]!,
    lines('', '-------a786hjs2$'),
  ),
  lines(
    'MSRP a786hjs2 200 OK',
    'To-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp',
    'From-Path: msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp',
    '-------a786hjs2$',
  ),
  lines(
    'MSRP dkei38sd REPORT',
    'To-Path: msrp://alicepc.example.com:7777/iau39soe2843z;tcp',
    'From-Path: msrp://bob.example.com:8888/9di4eae923wzd;tcp',
    'Message-ID: 12339sdqwer',
    'Byte-Range: 1-106/*',
    'Status: 000 200 OK',
    '-------dkei38sd#',
  ),
];

export const headerTokens = words(
  '\r\n',
  '\r\n\r\n',
  '\n',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '"',
  '\\',
  '<',
  '>',
  '=',
  '%00',
  '\u00e9',
  '\u202e',
  'Content-Length: 5\r\n',
  'Content-Type: message/cpim\r\n',
  'Content-Transfer-Encoding: base64\r\n',
  'multipart/mixed;boundary="a"',
  '--',
  '-------a786hjs2$',
  '-------a786hjs2+\r\n',
  'v=0\r\n',
  'm=message 9 TCP/TLS/MSRP *\r\n',
  'a=key-mgmt:mikey ',
  'SIP/2.0 ',
  'MSRP ',
  'NS: <urn:ietf:params:imdn>\r\n',
  '<!DOCTYPE a [<!ENTITY b "c">]>',
  '&amp;',
  '<imdn xmlns="urn:ietf:params:xml:ns:imdn">',
  ']]>',
);

/** HTTP exchanges with a KMS, as the wire recorder keeps them. */
export const httpSamples = [
  concatBytes(
    lines(
      'POST /keymanagement?requesttype=ticketrequest HTTP/1.1',
      'Host: kms.example.com',
      'Content-Type: application/mikey',
      '',
    ),
    utf8(toBase64(exchanges[0].request)),
  ),
  concatBytes(
    lines('HTTP/1.1 200 OK', 'Content-Type: application/mikey', 'Content-Length: 8', ''),
    utf8(toBase64(vectorMessages[0]!)),
  ),
];
