import { unwatchFile, watch, watchFile, type FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { CancelTimer, Clock } from '../../base/clock.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { certificateValidity } from '../../crypto/certificate.ts';
import { readPemCertificates } from '../../crypto/pem.ts';
import { readTextFile } from './text-file.ts';

/** A certificate chain, the server's own first, and its key, in PEM. */
export interface TlsIdentity {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface CertificateFiles {
  readonly certificateFile: string;
  readonly privateKeyFile: string;
}

/** Certificate and key are two files: a change of one is read when there was time to change the other. */
const settleMilliseconds = 500;
const pollMilliseconds = 2000;

/** Of the first certificate, which is the server's own. */
function validityOf(certificatePem: string, field: string): { readonly from: number; readonly until: number } {
  const [own = new Uint8Array()] = readPemCertificates(certificatePem, `${field}.certificateFile`);
  return certificateValidity(own);
}

/**
 * A certificate with its key that can be served now.
 * @returns when it ends, milliseconds since 1970.
 * @throws ProtocolError `local` when it is unreadable, does not belong to the key, or is not valid at `now`.
 */
export function checkTlsIdentity({ certificatePem, privateKeyPem }: TlsIdentity, now: number, field = 'tls'): number {
  const { from, until } = validityOf(certificatePem, field);
  try {
    createSecureContext({ cert: certificatePem, key: privateKeyPem });
  } catch (error) {
    // OpenSSL's text names the fault, never the key.
    throw new ProtocolError('local', 'certificate and key cannot be used together', {
      field: `${field}.privateKeyFile`,
      expected: 'the key of the first certificate, not encrypted',
      cause: error,
    });
  }
  if (now < from || now > until) {
    throw new ProtocolError('local', now > until ? 'expired' : 'not valid yet', { field: `${field}.certificateFile` });
  }
  return until;
}

/**
 * The certificate that a server presents. It is replaced without touching a connection; a new one that is unfit is refused and
 * logged, and the old one stays.
 */
export class ServedCertificate {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #field: string;
  readonly #users = new Set<() => void>();
  #identity: TlsIdentity;
  #validUntil: number;
  #files: CertificateFiles | undefined;
  #watchers: FSWatcher[] = [];
  #settling: CancelTimer | undefined;

  /** @throws ProtocolError `local` for one that cannot be served at all. An expired one can: readiness tells. */
  constructor(
    identity: TlsIdentity,
    options: { readonly clock: Clock; readonly log: Logger; readonly field?: string },
  ) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#field = options.field ?? 'tls';
    const { from, until } = validityOf(identity.certificatePem, this.#field);
    // Checked as of a time when it is valid: all but its age.
    checkTlsIdentity(identity, (from + until) / 2, this.#field);
    this.#identity = identity;
    this.#validUntil = until;
  }

  /** As `new`, from files, which `reload` reads again and `watch` watches. */
  static async load(
    files: CertificateFiles,
    options: { readonly clock: Clock; readonly log: Logger; readonly field?: string },
  ): Promise<ServedCertificate> {
    const made = new ServedCertificate(await readFiles(files, options.field ?? 'tls'), options);
    made.#files = files;
    return made;
  }

  get identity(): TlsIdentity {
    return this.#identity;
  }

  /** Milliseconds since 1970. */
  get validUntil(): number {
    return this.#validUntil;
  }

  /** Calls `action` after each change. */
  onChange(action: () => void): void {
    this.#users.add(action);
  }

  /** Reads the files again. Does not throw: what is wrong is logged as `kms.certificate-refused`. */
  async reload(): Promise<'changed' | 'same' | 'refused'> {
    if (this.#files === undefined) return 'same';
    try {
      const identity = await readFiles(this.#files, this.#field);
      if (
        identity.certificatePem === this.#identity.certificatePem &&
        identity.privateKeyPem === this.#identity.privateKeyPem
      ) {
        this.#log.log('debug', 'kms.certificate-same', { field: this.#field });
        return 'same';
      }
      this.#replace(identity);
      return 'changed';
    } catch (error) {
      this.#log.log('error', 'kms.certificate-refused', { field: this.#field, reason: describeError(error) });
      return 'refused';
    }
  }

  /** Reloads whenever one of the files changes or is exchanged, also behind a symbolic link of its folder. */
  watch(): void {
    if (this.#files === undefined || this.#watchers.length > 0) return;
    const { certificateFile, privateKeyFile } = this.#files;
    const names = new Set([certificateFile, privateKeyFile].map((file) => basename(file)));
    const folders = new Set([certificateFile, privateKeyFile].map((file) => dirname(file)));
    try {
      for (const folder of folders) this.#watchFolder(folder, names);
    } catch (error) {
      this.#watchFailed(error);
    }
  }

  #watchFolder(folder: string, names: ReadonlySet<string>): void {
    const watcher = watch(folder, { persistent: false }, (_event, name) => {
      // Kubernetes and others exchange a link (`..data`), not the files.
      if (name === null || names.has(name) || name.startsWith('..')) this.#settle();
    });
    watcher.on('error', (error) => this.#watchFailed(error));
    this.#watchers.push(watcher);
  }

  /** The system has only so many watches, and some file systems have none: then the files are looked at from time to time. */
  #watchFailed(error: unknown): void {
    this.#log.log('warn', 'kms.certificate-watch-failed', { field: this.#field, reason: describeError(error) });
    this.stop();
    for (const file of this.#paths()) {
      watchFile(file, { persistent: false, interval: pollMilliseconds }, this.#onPoll);
    }
  }

  readonly #onPoll = (): void => this.#settle();

  #paths(): readonly string[] {
    return this.#files === undefined ? [] : [this.#files.certificateFile, this.#files.privateKeyFile];
  }

  stop(): void {
    this.#settling?.();
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
    for (const file of this.#paths()) unwatchFile(file, this.#onPoll);
  }

  #settle(): void {
    this.#settling?.();
    this.#settling = this.#clock.after(settleMilliseconds, () => void this.reload());
  }

  #replace(identity: TlsIdentity): void {
    const until = checkTlsIdentity(identity, this.#clock.now(), this.#field);
    this.#identity = identity;
    this.#validUntil = until;
    for (const use of this.#users) use();
    this.#log.log('info', 'kms.certificate-loaded', {
      field: this.#field,
      validUntil: new Date(until).toISOString(),
    });
  }
}

async function readFiles({ certificateFile, privateKeyFile }: CertificateFiles, field: string): Promise<TlsIdentity> {
  return {
    certificatePem: await readTextFile(certificateFile, `${field}.certificateFile`),
    privateKeyPem: await readTextFile(privateKeyFile, `${field}.privateKeyFile`),
  };
}
