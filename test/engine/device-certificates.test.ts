import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { FakeClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import {
  createDeviceCertificate,
  readDeviceCertificate,
  writeDeviceCertificate,
} from '../../src/crypto/certificate.ts';
import { DeviceCertificates, renewalMilliseconds } from '../../src/engine/device-certificates.ts';
import type { SecretStore } from '../../src/engine/ports.ts';

const day = 24 * 3_600_000;
let clock: FakeClock;
let kept: Map<string, SecretBytes>;

const copyOf = (secret: SecretBytes): SecretBytes => secret.use((bytes) => new SecretBytes(bytes));

function store(): SecretStore {
  return {
    get: (name) => Promise.resolve(kept.get(name) && copyOf(kept.get(name)!)),
    set: async (name, secret) => void kept.set(name, copyOf(secret)),
    delete: async (name) => void kept.delete(name),
    list: () => Promise.resolve([...kept.keys()]),
    health: () => Promise.resolve({ usable: true }),
  };
}

/** As after a start of the program. */
function start(secrets = store()): DeviceCertificates {
  return DeviceCertificates.of({ clock, log: silentLogger, secrets });
}

beforeEach(() => {
  clock = new FakeClock();
  kept = new Map();
});

describe('the certificate of this device', () => {
  test('is the same in every run, with the key that belongs to it', async () => {
    const first = await start().current();
    const second = await start().current();
    expect(second.sha256).toBe(first.sha256);
    expect(second.certificatePem).toBe(first.certificatePem);
    expect(() => readDeviceCertificate(writeDeviceCertificate(second))).not.toThrow();
  });

  test('is one for all who ask at the same time, and for all engines with one store', async () => {
    const secrets = store();
    const one = start(secrets);
    const all = await Promise.all([one.current(), one.current(), start(secrets).current()]);
    expect(new Set(all.map(({ sha256 }) => sha256)).size).toBe(1);
  });

  test('is renewed before its end, once, and not earlier', async () => {
    const certificates = start();
    const first = await certificates.current();
    clock.advance(365 * day - renewalMilliseconds - day);
    expect((await certificates.current()).sha256).toBe(first.sha256);
    clock.advance(2 * day);
    const [second, same] = await Promise.all([certificates.current(), certificates.current()]);
    expect(second.sha256).not.toBe(first.sha256);
    expect(same.sha256).toBe(second.sha256);
    expect((await start().current()).sha256).toBe(second.sha256);
  });

  test.each([
    ['no PEM', (): SecretBytes => new SecretBytes(utf8('hello'))],
    [
      'the certificate alone',
      (whole: string): SecretBytes => new SecretBytes(utf8(whole.split('-----BEGIN PRIVATE')[0]!)),
    ],
  ])('is made anew when what was kept is %s', async (_, damage) => {
    const first = await start().current();
    const [[name, secret] = []] = [...kept];
    kept.set(name!, damage(secret!.use((bytes) => new TextDecoder().decode(bytes))));
    const second = await start().current();
    expect(second.sha256).not.toBe(first.sha256);
    expect((await start().current()).sha256).toBe(second.sha256);
  });

  test('is not taken with the key of another', async () => {
    const now = clock.now();
    const [one, other] = await Promise.all([
      createDeviceCertificate({ commonName: 'one', now }),
      createDeviceCertificate({ commonName: 'other', now }),
    ]);
    const mixed = writeDeviceCertificate({ ...one, privateKeyPem: other.privateKeyPem });
    expect(() => readDeviceCertificate(mixed)).toThrow(/a certificate and its private key/);
  });

  test('is one for each run without a store, or with one that fails', async () => {
    const failing: SecretStore = {
      ...store(),
      get: () => Promise.reject(new Error('locked')),
      set: () => Promise.reject(new Error('locked')),
    };
    for (const secrets of [undefined, failing]) {
      const certificates = new DeviceCertificates({
        clock,
        log: silentLogger,
        ...(secrets === undefined ? {} : { secrets }),
      });
      expect((await certificates.current()).sha256).toBe((await certificates.current()).sha256);
    }
  });
});
