import { describeError } from '../base/errors.ts';
import { createDeviceCertificate, readDeviceCertificate, writeDeviceCertificate } from '../crypto/certificate.ts';
import type { DeviceCertificate, EnginePorts, SecretStore } from './ports.ts';

type Ports = Pick<EnginePorts, 'clock' | 'log' | 'secrets'>;

const secretName = 'msrp-device-certificate';
/** Renewed so long before its end that no session outlives it. */
export const renewalMilliseconds = 30 * 24 * 3_600_000;

interface Known {
  readonly certificate: DeviceCertificate;
  readonly validUntil: number;
}

/**
 * The certificate with which this device proves itself in sessions over TLS: one for all accounts, kept with its key in
 * the store for secrets, so that the fingerprint that peers see changes only when it is renewed. Without such a store
 * there is one for each run.
 */
export class DeviceCertificates {
  static readonly #byStore = new WeakMap<SecretStore, DeviceCertificates>();
  readonly #ports: Ports;
  #known: Promise<Known> | undefined;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** Engines with the same store share it. */
  static of(ports: Ports): DeviceCertificates {
    if (ports.secrets === undefined) return new DeviceCertificates(ports);
    const known = this.#byStore.get(ports.secrets) ?? new DeviceCertificates(ports);
    this.#byStore.set(ports.secrets, known);
    return known;
  }

  /** The one to use now; made, or renewed, when that is due. */
  async current(): Promise<DeviceCertificate> {
    const before = this.#known;
    if (before !== undefined) {
      const known = await before;
      if (this.#isUsable(known)) return known.certificate;
      // Whoever came first renews; the others wait for that one.
      if (this.#known === before) this.#known = undefined;
    }
    this.#known ??= this.#find().catch((error: unknown) => {
      this.#known = undefined;
      throw error;
    });
    return (await this.#known).certificate;
  }

  async #find(): Promise<Known> {
    const kept = await this.#kept();
    if (kept !== undefined && this.#isUsable(kept)) return kept;
    const { clock, log } = this.#ports;
    const made = await createDeviceCertificate({ commonName: 'tessera', now: clock.now() });
    log.log('info', 'device-certificate.made', { sha256: made.sha256, why: kept === undefined ? 'none' : 'renewal' });
    await this.#keep(made);
    return { certificate: made, validUntil: made.validUntil };
  }

  async #kept(): Promise<Known | undefined> {
    const secret = await this.#ports.secrets?.get(secretName).catch((error: unknown) => this.#complain(error));
    if (secret === undefined) return undefined;
    try {
      const certificate = readDeviceCertificate(secret);
      return { certificate, validUntil: certificate.validUntil };
    } catch (error) {
      this.#complain(error);
      return undefined;
    } finally {
      secret.dispose();
    }
  }

  async #keep(certificate: DeviceCertificate): Promise<void> {
    const secret = writeDeviceCertificate(certificate);
    await this.#ports.secrets?.set(secretName, secret).catch((error: unknown) => this.#complain(error));
    secret.dispose();
  }

  #isUsable({ validUntil }: Known): boolean {
    return validUntil - this.#ports.clock.now() > renewalMilliseconds;
  }

  #complain(error: unknown): undefined {
    this.#ports.log.log('warn', 'device-certificate.not-kept', { reason: describeError(error) });
  }
}
