import { fromHex } from '../../../src/base/bytes.ts';
import { provesSipDomain } from '../../../src/crypto/server-identity.ts';
import { readHost } from '../../../src/protocol/sip/host.ts';
import { decodeStun, encodeStun, looksLikeStun } from '../../../src/protocol/stun/index.ts';
import { asText, words } from '../mutate.ts';
import { ensure, ensureSame, parsed, type FuzzTarget } from '../target.ts';
import { publicKeys } from './public-keys.ts';

const transactionId = fromHex('b7e7a701bc34d686fa87dfae');
const names = ['lab.test', 'alice.lab.test', '192.0.2.1', '2001:db8::1'];

/** Keep-alives on the socket of SIP (RFC 5626 section 8). */
const stun: FuzzTarget = {
  name: 'stun',
  corpus: [
    encodeStun({ kind: 'request', transactionId }, true),
    encodeStun({ kind: 'success', transactionId, mapped: { host: '192.0.2.1', port: 32853 } }, true),
    encodeStun({ kind: 'success', transactionId, mapped: { host: '2001:db8::1', port: 5060 } }),
    encodeStun({ kind: 'error', transactionId, code: 420 }),
  ],
  tokens: ['00200008', '00200014', '00090004', '80280004', '2112a442', '0101', '0111', '00080014'].map((hex) =>
    fromHex(hex),
  ),
  check: (input) => {
    const message = parsed(() => decodeStun(input));
    if (message === undefined) return;
    ensure(looksLikeStun(input), 'read as STUN and not told from SIP');
    ensureSame(decodeStun(encodeStun(message, true)), message, 'another one after writing and reading');
  },
};

/** The certificate of a server, before anything is said to it: nothing that nobody has issued for a name proves it. */
const serverIdentity: FuzzTarget = {
  name: 'server-identity',
  corpus: [publicKeys.alice.certificate, publicKeys.kms.certificate, publicKeys.elliptic],
  tokens: [...words('sip:lab.test', 'lab.test', '*.lab.test'), fromHex('0603551d11'), fromHex('8600'), fromHex('8200')],
  check: (input) => {
    for (const name of names) {
      // What is no certificate at all the TLS library has refused before.
      try {
        provesSipDomain(input, name);
      } catch (error) {
        ensure(error instanceof Error && 'code' in error, 'an error that is not the library’s');
      }
    }
  },
};

/** Hosts, as records and users name them. */
const host: FuzzTarget = {
  name: 'sip-host',
  corpus: words(
    'sip.example.org',
    '192.0.2.1',
    '[2001:db8::1]',
    '::ffff:192.0.2.1',
    'fe80::1%eth0',
    '_sips._tcp.a.test.',
  ),
  tokens: words('.', ':', '::', '[', ']', '%', '255', 'ffff', '-', '_', '\u0000'),
  check: (input) => {
    const text = asText(input);
    if (text === undefined) return;
    let read;
    try {
      read = readHost(text, 'fuzz');
    } catch (error) {
      ensure(error instanceof Error && error.name === 'ProtocolError', 'another error than a ProtocolError');
      return;
    }
    const again = readHost(read.kind === 'name' ? read.name : read.address, 'fuzz');
    ensureSame(again, read, 'another host after writing and reading');
    ensure(read.kind === 'address' || read.name.length <= 253, 'a name without bounds');
  },
};

export const sipAccessTargets: readonly FuzzTarget[] = [stun, serverIdentity, host];
