import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { decodeImdn, encodeImdn, imdnLimits, type ImdnPayload } from '../../../src/protocol/imdn/index.ts';

const open = '<imdn xmlns="urn:ietf:params:xml:ns:imdn">';
const id = '<message-id>34jk324j</message-id>';
const time = '<datetime>2008-04-04T12:16:49-05:00</datetime>';
const delivered = '<delivery-notification><status><delivered/></status></delivery-notification>';

describe('IMDN', () => {
  it('reads a notification with other names and elements around it', () => {
    const xml = `<?xml version="1.0"?>
      <i:imdn xmlns:i="urn:ietf:params:xml:ns:imdn" xmlns:x="urn:x">
        <i:message-id>34jk324j</i:message-id><i:datetime>2008-04-04T12:16:49-05:00</i:datetime>
        <i:recipient-uri>im:bob&#64;example.com</i:recipient-uri><x:more><x:deeper/></x:more>
        <i:display-notification><i:status><i:displayed/></i:status></i:display-notification>
      </i:imdn>`;
    expect(decodeImdn(utf8(xml))).toEqual({
      kind: 'display',
      status: 'displayed',
      messageId: '34jk324j',
      dateTime: Date.UTC(2008, 3, 4, 17, 16, 49),
      recipientUri: 'im:bob@example.com',
    });
  });

  it('gives back what was written', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((value) => !/\p{Cc}|^\s|\s$/u.test(value));
    const payload: fc.Arbitrary<ImdnPayload> = fc.record({
      kind: fc.constantFrom('delivery', 'processing', 'display'),
      status: fc.constantFrom('forbidden', 'error'),
      messageId: text,
      dateTime: fc.integer({ min: 0, max: Date.UTC(9999, 0) }),
      recipientUri: text,
      originalRecipientUri: text,
      subject: text,
    });
    fc.assert(
      fc.property(payload, (value) => {
        expect(decodeImdn(encodeImdn(value))).toEqual(value);
      }),
      { seed: 5438 },
    );
  });

  it.each([
    ['delivery', ['delivered', 'failed', 'forbidden', 'error']],
    ['processing', ['processed', 'stored', 'forbidden', 'error']],
    ['display', ['displayed', 'forbidden', 'error']],
  ] as const)('has for %s the states %j', (kind, statuses) => {
    for (const status of statuses) {
      const payload: ImdnPayload = { kind, status, messageId: 'm', dateTime: 0 };
      expect(decodeImdn(encodeImdn(payload))).toEqual(payload);
    }
  });

  it.each([
    ['text', 'hello'],
    ['nothing', ''],
    ['unclosed elements', `${open}${id}${time}${delivered}`],
    ['a document type', `<!DOCTYPE imdn [<!ENTITY a "b">]>${open}${id}${time}${delivered}</imdn>`],
    ['an entity of its own', `${open}<message-id>&a;</message-id>${time}${delivered}</imdn>`],
    ['no message id', `${open}${time}${delivered}</imdn>`],
    ['no time', `${open}${id}${delivered}</imdn>`],
    ['two statuses', `${open}${id}${time}${delivered}${delivered}</imdn>`],
    ['an unknown status', `${open}${id}${time}${delivered.replace('delivered', 'lost')}</imdn>`],
    ['too deep', `${open}${id}${time}${'<a>'.repeat(9)}${'</a>'.repeat(9)}</imdn>`],
    ['too large', `${open}${' '.repeat(imdnLimits.octets)}</imdn>`],
  ])('refuses %s', (_case, xml) => {
    expect(() => decodeImdn(utf8(xml))).toThrow(expect.objectContaining({ kind: 'malformed', hint: { sip: 400 } }));
  });

  it('names a kind of notification that it does not handle', () => {
    const xml = `${open}${id}${time}<other-notification/></imdn>`;
    expect(() => decodeImdn(utf8(xml))).toThrow(expect.objectContaining({ kind: 'unsupported' }));
    const otherNamespace = `<imdn>${id}${time}${delivered}</imdn>`;
    expect(() => decodeImdn(utf8(otherNamespace))).toThrow(ProtocolError);
  });

  it('does not write a status of another kind', () => {
    const payload = { kind: 'delivery', status: 'displayed', messageId: 'a', dateTime: 0 } as const;
    expect(() => encodeImdn(payload)).toThrow(expect.objectContaining({ kind: 'local' }));
  });
});
