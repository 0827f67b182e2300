import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import {
  Composer,
  ComposingWatcher,
  decodeComposing,
  encodeComposing,
  type ComposingStatus,
} from '../../../src/protocol/composing/index.ts';

const example = (state: string, more = ''): Uint8Array =>
  utf8(`<?xml version="1.0" encoding="UTF-8"?>
<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="urn:ietf:params:xml:ns:im-composing iscomposing.xsd">
  <state>${state}</state>${more}
</isComposing>`);

describe('an isComposing document', () => {
  it('is read from the examples of RFC 3994 section 5', () => {
    expect(decodeComposing(example('active', '<contenttype>text/plain</contenttype><refresh>90</refresh>'))).toEqual({
      state: 'active',
      refresh: 90,
      contentType: 'text/plain',
    });
    const idle = example('idle', '<lastactive>2003-01-27T10:43:00Z</lastactive><contenttype>audio</contenttype>');
    expect(decodeComposing(idle)).toEqual({ state: 'idle', contentType: 'audio' });
  });

  it('counts a state that nobody knows as idle, and an odd refresh as none', () => {
    expect(decodeComposing(example('dreaming', '<refresh>-4</refresh>'))).toEqual({ state: 'idle' });
  });

  it('comes out as it went in', () => {
    const statuses: ComposingStatus[] = [
      { state: 'idle' },
      { state: 'active', refresh: 60 },
      { state: 'active', refresh: 1, contentType: 'text/plain; x="<&>"' },
    ];
    for (const status of statuses) expect(decodeComposing(encodeComposing(status))).toEqual(status);
  });

  it.each([
    ['nothing', ''],
    ['another document', '<imdn xmlns="urn:ietf:params:xml:ns:imdn"/>'],
    ['another namespace', '<isComposing xmlns="urn:x"><state>active</state></isComposing>'],
    ['no state', '<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"/>'],
    ['a document type', '<!DOCTYPE x><isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"/>'],
    ['more levels than it can have', `${'<a>'.repeat(20)}${'</a>'.repeat(20)}`],
    ['more octets than it can have', `<a>${'x'.repeat(10_000)}</a>`],
  ])('is refused as %s', (_, text) => {
    expect(() => decodeComposing(utf8(text))).toThrow(expect.objectContaining({ field: 'composing' }) as Error);
  });

  it('never fails in another way, whatever octet is changed', () => {
    const good = encodeComposing({ state: 'active', refresh: 60, contentType: 'text/plain' });
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, octet) => {
        const bytes = Uint8Array.from(good);
        bytes[at] = octet;
        try {
          decodeComposing(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { seed: 3, numRuns: 500 },
    );
  });
});

describe('who writes', () => {
  it('says so once, again each minute while writing goes on, and that it stopped after 15 s', () => {
    const composer = new Composer();
    expect(composer.typed(0)).toEqual({ state: 'active', refresh: 60 });
    expect(composer.typed(5_000)).toBeUndefined();
    expect(composer.deadline).toBe(20_000);
    for (let now = 10_000; now < 60_000; now += 10_000) expect(composer.typed(now)).toBeUndefined();
    expect(composer.deadline).toBe(60_000);
    expect(composer.tick(60_000)).toEqual({ state: 'active', refresh: 60 });
    expect(composer.tick(64_999)).toBeUndefined();
    expect(composer.tick(65_000)).toEqual({ state: 'idle' });
    expect(composer.deadline).toBeUndefined();
    expect(composer.tick(70_000)).toBeUndefined();
  });

  it('says nothing when the message is sent, and that it stopped when the text is deleted', () => {
    const composer = new Composer();
    composer.typed(0);
    composer.sent();
    expect(composer.tick(15_000)).toBeUndefined();
    expect(composer.cleared()).toBeUndefined();
    composer.typed(20_000);
    expect(composer.cleared()).toEqual({ state: 'idle' });
  });
});

describe('who watches', () => {
  it('believes it for the refresh time and the way of a renewal, 120 s where none is said, and not after a message', () => {
    const watcher = new ComposingWatcher();
    expect(watcher.isActive(0)).toBe(false);
    watcher.told({ state: 'active', refresh: 60 }, 0);
    expect(watcher.isActive(64_999)).toBe(true);
    expect(watcher.isActive(65_000)).toBe(false);
    watcher.told({ state: 'active' }, 0);
    expect(watcher.deadline).toBe(125_000);
    watcher.messageArrived();
    expect(watcher.isActive(1)).toBe(false);
    watcher.told({ state: 'active' }, 0);
    watcher.told({ state: 'idle' }, 1);
    expect(watcher.isActive(2)).toBe(false);
  });
});
