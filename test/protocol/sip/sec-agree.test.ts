import { describe, expect, it } from 'vitest';
import {
  agreeSecurity,
  formatSecurityMechanism,
  isMediaMechanism,
  readSecurityMechanisms,
  sameMechanisms,
} from '../../../src/protocol/sip/sec-agree.ts';

const read = (...values: string[]): ReturnType<typeof readSecurityMechanisms> => readSecurityMechanisms(values);

describe('readSecurityMechanisms', () => {
  it('reads entries joined by commas and repeated header fields alike', () => {
    const joined = read('tls;q=0.2, msrp-tls;mediasec');
    expect(joined).toEqual(read('tls;q=0.2', 'msrp-tls;mediasec'));
    expect(joined.map(({ name }) => name)).toEqual(['tls', 'msrp-tls']);
    expect(joined.map(isMediaMechanism)).toEqual([false, true]);
  });

  it('keeps the written text for the echo, quotes and all', () => {
    const [first, second] = read('digest;d-alg=md5;d-ver="a,b;c" , TLS ; Q=0.5');
    expect(first?.text).toBe('digest;d-alg=md5;d-ver="a,b;c"');
    expect(second).toEqual({ name: 'tls', parameters: [{ name: 'q', value: '0.5' }], text: 'TLS ; Q=0.5' });
    expect(formatSecurityMechanism(second!)).toBe('tls;q=0.5');
  });

  it('reads an ipsec-3gpp offer', () => {
    const [ipsec] = read('ipsec-3gpp;alg=hmac-sha-1-96;ealg=aes-cbc;spi-c=1;spi-s=2;port-c=3;port-s=4');
    expect(ipsec?.parameters).toHaveLength(6);
  });

  it('takes empty list elements and refuses what is no mechanism', () => {
    expect(read('', ' , tls ,')).toHaveLength(1);
    expect(() => read('<tls>')).toThrow(expect.objectContaining({ kind: 'malformed' }));
    expect(() => read('tls;=1')).toThrow(expect.objectContaining({ kind: 'malformed' }));
    expect(() => read(Array(40).fill('tls').join())).toThrow(expect.objectContaining({ kind: 'malformed' }));
  });
});

describe('agreeSecurity', () => {
  const client = read('tls', 'msrp-tls;mediasec');

  it('follows the preference of the server among what the client knows', () => {
    expect(agreeSecurity(read('tls', 'digest'), read('ipsec-3gpp;q=0.9', 'digest;q=0.1', 'tls;q=0.2')).signalling).toBe(
      'tls',
    );
    expect(agreeSecurity(client, read('ipsec-3gpp;q=0.9')).signalling).toBeUndefined();
  });

  it('finds media mechanisms only where both sides label them mediasec', () => {
    expect(agreeSecurity(client, read('tls;q=0.2', 'msrp-tls;mediasec', 'sdes-srtp;mediasec')).media).toEqual([
      'msrp-tls',
    ]);
    expect(agreeSecurity(client, read('tls', 'msrp-tls')).media).toEqual([]);
    expect(agreeSecurity(read('tls'), read('tls', 'msrp-tls;mediasec')).media).toEqual([]);
  });
});

it('sees that a list was changed or reordered', () => {
  const list = read('tls;q=0.2;x=1, msrp-tls;mediasec');
  expect(sameMechanisms(list, read('TLS;x=1;q=0.2', 'msrp-tls;MEDIASEC'))).toBe(true);
  expect(sameMechanisms(list, read('msrp-tls;mediasec', 'tls;q=0.2;x=1'))).toBe(false);
  expect(sameMechanisms(list, read('tls;q=0.1;x=1', 'msrp-tls;mediasec'))).toBe(false);
  expect(sameMechanisms(list, read('tls;q=0.2;x=1'))).toBe(false);
});
