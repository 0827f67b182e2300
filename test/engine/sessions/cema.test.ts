import { describe, expect, test } from 'vitest';
import { afterAnswer, farAddresses, forOffer, type FarAddresses } from '../../../src/engine/sessions/cema.ts';
import {
  buildMsrpMedia,
  createSessionDescription,
  findMsrpMedia,
  formatSdp,
  parseSdp,
  readMsrpMedia,
} from '../../../src/protocol/sdp/index.ts';

/** `cema`, addresses that match the path, a relay in the path: present or not. */
const far = (text: string): FarAddresses => ({
  cema: text.includes('cema'),
  matches: text.includes('match'),
  relayed: text.includes('relay'),
});

describe('RFC 6714 section 4.2: the offerer with an answer', () => {
  const rows: readonly (readonly [string, 'direct' | 'relay', 'active' | 'passive', string])[] = [
    // Without CEMA on the other side and with another address, a middlebox is assumed that has to act as B2BUA.
    ['', 'direct', 'passive', 'offer-again'],
    ['', 'relay', 'active', 'offer-again'],
    ['', 'relay', 'passive', 'offer-again'],
    ['relay', 'direct', 'active', 'offer-again'],
    ['relay', 'direct', 'passive', 'offer-again'],
    ['relay', 'relay', 'active', 'offer-again'],
    // "In other cases ... it MUST use the SDP c/m-line".
    ['', 'direct', 'active', 'signalled'],
    ['match', 'direct', 'active', 'signalled'],
    ['match', 'direct', 'passive', 'signalled'],
    ['cema match', 'direct', 'active', 'signalled'],
    ['cema', 'direct', 'active', 'signalled'],
    ['cema', 'direct', 'passive', 'signalled'],
    ['cema relay', 'direct', 'active', 'signalled'],
    // The answerer's relay is where its path says: RFC 4975, without a new offer.
    ['match relay', 'direct', 'active', 'path'],
    ['match relay', 'relay', 'active', 'path'],
    // Our own relay connects by path, whatever the lines say.
    ['match', 'relay', 'active', 'path'],
    ['cema', 'relay', 'active', 'path'],
    ['cema match relay', 'relay', 'passive', 'path'],
  ];
  test.each(rows)('answer with "%s", ours %s and %s: %s', (answer, ours, role, expected) => {
    expect(afterAnswer(far(answer), { offered: true, relayed: ours === 'relay', role })).toBe(expected);
  });

  test.each(['', 'match', 'relay', 'cema', 'match relay'])(
    'an offer without CEMA is the last: answer "%s"',
    (answer) => {
      for (const role of ['active', 'passive'] as const) {
        for (const relayed of [false, true]) {
          expect(afterAnswer(far(answer), { offered: false, relayed, role })).toBe('path');
        }
      }
    },
  );
});

describe('RFC 6714 section 4.3: the answerer with an offer', () => {
  const reject = { verdict: 'reject' };
  const without = { verdict: 'answer', cema: false, connectTo: 'path' };
  const signalled = { verdict: 'answer', cema: true, connectTo: 'signalled' };
  const path = { verdict: 'answer', cema: true, connectTo: 'path' };
  const rows: readonly (readonly [string, 'direct' | 'relay', 'active' | 'passive' | 'actpass' | undefined, object])[] =
    [
      ['', 'direct', 'actpass', reject],
      ['', 'relay', 'actpass', reject],
      ['relay', 'direct', 'actpass', reject],
      ['cema match', 'direct', 'actpass', signalled],
      ['cema', 'direct', 'actpass', signalled],
      ['cema', 'direct', 'active', signalled],
      ['cema', 'relay', 'actpass', signalled],
      ['match', 'direct', 'actpass', path],
      ['match', 'direct', undefined, path],
      // Both behind relays.
      ['cema relay', 'relay', 'actpass', without],
      ['cema match relay', 'relay', 'actpass', without],
      // An offerer behind a relay who will connect.
      ['cema relay', 'direct', 'active', without],
      ['match relay', 'direct', undefined, without],
      // One who will not.
      ['cema relay', 'direct', 'actpass', signalled],
      // Behind a relay and told to connect.
      ['cema', 'relay', 'passive', without],
    ];
  test.each(rows)('offer with "%s", ours %s, setup %s: %j', (offer, ours, setup, expected) => {
    expect(forOffer({ ...far(offer), setup }, { relayed: ours === 'relay' })).toEqual(expected);
  });
});

describe('RFC 6714 section 4.4: addresses that are the same', () => {
  const names: Readonly<Record<string, readonly string[]>> = {
    'relay.example': ['192.0.2.7', '2001:db8::7'],
    'other.example': ['192.0.2.8'],
  };
  const lookUp = (name: string): Promise<readonly string[]> => Promise.resolve(names[name] ?? []);
  const rows: readonly (readonly [string, number, string, boolean])[] = [
    ['192.0.2.7', 2855, 'msrp://192.0.2.7:2855/s;tcp', true],
    ['192.0.2.7', 2856, 'msrp://192.0.2.7:2855/s;tcp', false],
    ['192.0.2.9', 2855, 'msrp://192.0.2.7:2855/s;tcp', false],
    ['2001:db8::7', 2855, 'msrps://[2001:0DB8:0:0:0:0:0:7]:2855/s;tcp', true],
    ['192.0.2.7', 2855, 'msrps://relay.example:2855/s;tcp', true],
    ['relay.example', 2855, 'msrps://192.0.2.7:2855/s;tcp', true],
    ['relay.example', 2855, 'msrps://RELAY.example:2855/s;tcp', true],
    ['192.0.2.7', 2855, 'msrps://other.example:2855/s;tcp', false],
    ['192.0.2.7', 2855, 'msrps://nowhere.example:2855/s;tcp', false],
    ['192.0.2.7', 2855, 'msrps://other.example:9000/r;tcp msrps://192.0.2.7:2855/s;tcp', true],
  ];
  test.each(rows)('%s port %i and %s: %s', async (address, port, path, matches) => {
    const section = buildMsrpMedia({
      protocol: 'TCP/TLS/MSRP',
      port,
      address,
      path: path.split(' '),
      setup: 'actpass',
      acceptTypes: ['*'],
    });
    const sdp = parseSdp(formatSdp(createSessionDescription({ id: '1', version: '1', address, media: [section] })));
    const media = readMsrpMedia(findMsrpMedia(sdp)!, sdp);
    expect(await farAddresses(media, { lookUp })).toEqual({ cema: true, matches, relayed: path.includes(' ') });
  });
});
