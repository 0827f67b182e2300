import { describe, expect, it } from 'vitest';
import {
  buildMsrpMedia,
  createSessionDescription,
  findMsrpMedia,
  formatSdp,
  parseSdp,
  readMsrpMedia,
  type MsrpMedia,
} from '../../../src/protocol/sdp/index.ts';

const sha256 = Array<string>(32).fill('AB').join(':');
const head = 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n';
const stream = 'm=message 52001 TCP/TLS/MSRP *\r\nc=IN IP4 192.0.2.10\r\na=path:msrps://192.0.2.10:52001/s;tcp\r\n';

const read = (media: string, session = ''): MsrpMedia => {
  const description = parseSdp(`${head}${session}${media}`);
  return readMsrpMedia(description.media[0]!, description);
};

describe('readMsrpMedia', () => {
  it('reads back all that buildMsrpMedia wrote', () => {
    const options = {
      protocol: 'TCP/TLS/MSRP',
      port: 52001,
      address: '192.0.2.10',
      path: ['msrps://relay:1/a;tcp', 'msrps://192.0.2.10:52001/jshA7weztas;tcp'],
      setup: 'actpass',
      acceptTypes: ['message/cpim', 'text/plain'],
      acceptWrappedTypes: ['*'],
      maxSize: 1000,
      fingerprints: [
        { hash: 'sha-256', value: sha256 },
        { hash: 'sha-1', value: Array<string>(20).fill('01').join(':') },
      ],
      keyMgmt: Uint8Array.of(1, 14, 255),
      e2ae: 'requested',
    } as const;
    const section = buildMsrpMedia(options);
    const sdp = createSessionDescription({ id: '1', version: '2', address: '192.0.2.10', media: [section] });
    const again = parseSdp(formatSdp(sdp));
    expect(readMsrpMedia(findMsrpMedia(again)!, again)).toEqual({
      ...options,
      cema: true,
      keyMgmtProtocols: ['mikey'],
      direction: 'sendrecv',
    });
  });

  it('reads the plain offer of a small client', () => {
    const media = read(
      'm=message 9 tcp/msrp *\r\na=path:msrp://a.example:9/x;tcp\r\na=sendonly\r\n',
      'c=IN IP4 1.2.3.4\r\n',
    );
    expect(media).toMatchObject({
      protocol: 'TCP/MSRP',
      port: 9,
      address: '1.2.3.4',
      setup: undefined,
      fingerprints: [],
      keyMgmt: undefined,
      e2ae: undefined,
      cema: false,
      direction: 'sendonly',
    });
  });

  it('needs neither path nor address for a refused stream', () => {
    expect(read('m=message 0 TCP/MSRP *\r\n')).toMatchObject({ port: 0, path: [], address: '' });
    expect(findMsrpMedia(parseSdp(`${head}m=message 0 TCP/MSRP *\r\n`))).toBeUndefined();
  });

  it('lets the media level override fingerprints of the session level', () => {
    const session = `a=fingerprint:SHA-256 ${sha256.toLowerCase()}\r\n`;
    expect(read(stream, session).fingerprints).toEqual([{ hash: 'sha-256', value: sha256 }]);
    const own = `${stream}a=fingerprint:sha-256 ${sha256.replaceAll('AB', 'CD')}\r\n`;
    expect(read(own, session).fingerprints).toEqual([{ hash: 'sha-256', value: sha256.replaceAll('AB', 'CD') }]);
  });

  it('ignores unknown and contradictory e2ae indications', () => {
    expect(read(`${stream}a=3ge2ae:applied\r\n`).e2ae).toBe('applied');
    expect(read(`${stream}a=3ge2ae:sometimes\r\n`).e2ae).toBeUndefined();
    expect(read(`${stream}a=3ge2ae:applied\r\na=3ge2ae:requested\r\n`).e2ae).toBeUndefined();
    expect(read(stream, 'a=3ge2ae:applied\r\n').e2ae).toBeUndefined();
  });

  it('takes key management of the session level only when it can mean one stream', () => {
    const session = 'a=key-mgmt:mikey AQ4F\r\n';
    expect(read(stream, session).keyMgmt).toEqual(Uint8Array.of(1, 14, 5));
    expect(read(stream + stream, session).keyMgmt).toBeUndefined();
    expect(read(`${stream}a=key-mgmt:mikey AAAA\r\n`, session).keyMgmt).toEqual(Uint8Array.of(0, 0, 0));
  });

  it('names every key management protocol', () => {
    const media = read(`${stream}a=key-mgmt:other x\r\na=key-mgmt: mikey AQ4F\r\n`);
    expect(media.keyMgmtProtocols).toEqual(['other', 'mikey']);
    expect(media.keyMgmt).toEqual(Uint8Array.of(1, 14, 5));
  });

  it.each([
    ['no path', 'm=message 1 TCP/MSRP *\r\nc=IN IP4 1.1.1.1\r\n', 'sdp.path'],
    ['a path that is not MSRP', 'm=message 1 TCP/MSRP *\r\nc=IN IP4 1.1.1.1\r\na=path:http://x/\r\n', 'sdp.path'],
    ['no address', 'm=message 1 TCP/MSRP *\r\na=path:msrp://x:1/a;tcp\r\n', 'sdp.c'],
    ['audio', 'm=audio 1 RTP/AVP 0\r\n', 'sdp.m'],
    ['a short fingerprint', `${stream}a=fingerprint:sha-256 AB:CD\r\n`, 'sdp.fingerprint'],
    ['a fingerprint that is not hexadecimal', `${stream}a=fingerprint:sha-256 XY\r\n`, 'sdp.fingerprint'],
    ['an unknown setup role', `${stream}a=setup:maybe\r\n`, 'sdp.setup'],
    ['broken base64', `${stream}a=key-mgmt:mikey AQ4\r\n`, 'sdp.key-mgmt'],
    ['two MIKEY messages', `${stream}a=key-mgmt:mikey AQ4F\r\na=key-mgmt:mikey AQ4F\r\n`, 'sdp.key-mgmt'],
    ['a wild max-size', `${stream}a=max-size:-1\r\n`, 'sdp.max-size'],
  ])('refuses %s with 488', (_, media, field) => {
    expect(() => read(media)).toThrow(expect.objectContaining({ kind: 'malformed', field, hint: { sip: 488 } }));
  });
});
