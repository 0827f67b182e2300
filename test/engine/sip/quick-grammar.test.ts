import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grammarParse, quickParse } from '../../../src/engine/sip/quick-grammar.ts';

const seed = 20_261_130;
const rules = [
  'Request_Response',
  'SIP_URI',
  'From',
  'To',
  'Via',
  'CSeq',
  'Call_ID',
  'Max_Forwards',
  'Content_Length',
  'Content_Type',
];

const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9.-]{0,8}$/);
const host = fc.oneof(
  fc.constantFrom('lab.test', 'Lab.TEST', 'a', 'tessera.invalid', '127.0.0.1', '1.2.3.4', '192.168.100.7', '01.2.3.4'),
  fc.array(token, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.')),
  fc.array(fc.nat({ max: 300 }), { minLength: 3, maxLength: 5 }).map((numbers) => numbers.join('.')),
);
const parameter = fc
  .tuple(
    fc.oneof(
      token,
      fc.constantFrom(
        'transport',
        'lr',
        'tag',
        'TAG',
        'branch',
        'rport',
        'received',
        'gr',
        'expires',
        'user',
        'ttl',
        'maddr',
        'method',
      ),
    ),
    fc.option(
      fc.oneof(
        token,
        fc.constantFrom(
          'TLS',
          'udp',
          'urn:uuid:6f1b2c3d-0a1b',
          'a:',
          ':',
          'z9hG4bK77',
          '127.0.0.1',
          '5060',
          '65536',
          '0',
          '255',
        ),
      ),
    ),
  )
  .map(([name, value]) => (value === null ? `;${name}` : `;${name}=${value}`));
const parameters = fc.array(parameter, { maxLength: 4 }).map((list) => list.join(''));
const uri = fc
  .tuple(
    fc.constantFrom('sip:', 'sips:', 'SIP:', 'tel:'),
    fc.option(token),
    host,
    fc.option(fc.nat({ max: 70_000 })),
    parameters,
  )
  .map(
    ([scheme, user, name, port, rest]) =>
      `${scheme}${user === null ? '' : `${user}@`}${name}${port === null ? '' : `:${port}`}${rest}`,
  );
const number = fc.oneof(fc.nat(), fc.constantFrom('007', '0', '2147483648')).map(String);

const inputs: Readonly<Record<string, fc.Arbitrary<string>>> = {
  SIP_URI: uri,
  From: fc
    .tuple(fc.constantFrom('', '"Al" ', '"Al"', 'Al ', '"A \\" b" ', '""'), uri, parameters)
    .map(([name, address, rest]) => `${name}<${address}>${rest}`),
  To: fc.tuple(uri, parameters).map(([address, rest]) => `<${address}>${rest}`),
  Via: fc
    .tuple(
      fc.constantFrom('UDP', 'TCP', 'TLS', 'WS', 'WSS', 'SCTP', 'tls'),
      host,
      fc.constantFrom('', '', ':5060', ':33333', ':65535', ':0'),
      parameters,
    )
    .map(([transport, name, number, rest]) => `SIP/2.0/${transport} ${name}${number}${rest}`),
  CSeq: fc
    .tuple(number, fc.constantFrom('MESSAGE', 'INVITE', 'ACK', 'Foo', 'X'))
    .map(([value, method]) => `${value} ${method}`),
  Call_ID: fc.tuple(token, fc.option(host)).map(([left, right]) => (right === null ? left : `${left}@${right}`)),
  Max_Forwards: number,
  Content_Length: number,
  Content_Type: fc.constantFrom(
    'application/octet-stream',
    'application/sdp',
    'text/plain',
    'text/plain;charset=utf-8',
    'x',
  ),
  Request_Response: fc.oneof(
    fc
      .tuple(fc.constantFrom('MESSAGE', 'INVITE', 'FOO', 'OPTIONS', 'NOTIFY'), uri)
      .map(([method, target]) => `${method} ${target} SIP/2.0`),
    fc
      .tuple(fc.nat({ max: 999 }), fc.constantFrom('OK', '', 'Not Found', 'Über', '- - -'))
      .map(([status, reason]) => `SIP/2.0 ${status} ${reason}`),
  ),
};

describe('the quick grammar', () => {
  it.each(rules)('reads %s as the grammar does, or leaves it to the grammar', (rule) => {
    fc.assert(
      fc.property(inputs[rule]!, (input) => {
        const quick = quickParse(input, rule);
        if (quick !== undefined) expect(quick).toEqual(grammarParse(input, rule));
      }),
      { seed, numRuns: 500 },
    );
  });

  it.each([
    ['Request_Response', 'SIP/2.0 200 OK'],
    ['Request_Response', 'SIP/2.0 202 Accepted'],
    ['Request_Response', 'MESSAGE sip:d34db33f@tessera.invalid;transport=tls SIP/2.0'],
    ['Request_Response', 'MESSAGE sip:0b518cfb7bfca623@127.0.0.1:32994;transport=tls SIP/2.0'],
    ['SIP_URI', 'sip:alice@lab.test'],
    ['SIP_URI', 'sip:alice@lab.test;gr=urn:uuid:5d4f3c2b-1a09-4f8e-9d7c-6b5a49382716'],
    ['Request_Response', 'MESSAGE sip:alice@lab.test;gr=urn:uuid:5d4f3c2b-1a09-4f8e-9d7c-6b5a49382716 SIP/2.0'],
    ['From', '<sip:alice@lab.test>;tag=k3j2'],
    ['From', '"Alice" <sip:alice@lab.test>;tag=k3j2'],
    ['To', '<sip:bob@lab.test>'],
    ['Via', 'SIP/2.0/TLS tessera.invalid;branch=z9hG4bK1234567;rport=5060'],
    ['Via', 'SIP/2.0/TLS 127.0.0.1:44597;branch=z9hG4bKec215479ba9cacb2'],
    ['Via', 'SIP/2.0/TLS tessera.invalid;branch=z9hG4bK1482434;rport=32980;received=127.0.0.1'],
    ['CSeq', '1 MESSAGE'],
    ['Call_ID', '0123456789abcdef0123456789abcdef'],
    ['Max_Forwards', '70'],
    ['Content_Length', '1044'],
    ['Content_Type', 'application/octet-stream'],
  ])('reads a usual %s itself', (rule, input) => {
    expect(quickParse(input, rule)).toEqual(grammarParse(input, rule));
    expect(quickParse(input, rule)).toBeDefined();
  });

  it.each(rules)('leaves what no rule allows in %s to the grammar', (rule) => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (input) => {
        const quick = quickParse(input, rule);
        if (quick !== undefined) expect(quick).toEqual(grammarParse(input, rule));
      }),
      { seed, numRuns: 200 },
    );
  });
});
