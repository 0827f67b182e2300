import { describeError, ProtocolError } from '../../base/errors.ts';
import { utf8 } from '../../base/bytes.ts';
import { bytesIdentity } from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';
import { BootstrapExchange, type BootstrapFailure, type BootstrapStep } from '../bootstrapping/bootstrap-exchange.ts';
import type { BootstrapMethod } from '../bootstrapping/bootstrap-method.ts';
import type { BootstrappedKey } from '../bootstrapping/bootstrapped-key.ts';
import { withDeadline } from '../deadline.ts';
import { limits } from '../limits.ts';
import type { BsfAddress, BsfConnection, EnginePorts } from '../ports.ts';
import { refuse, type RefusalCode, type RefusalError } from '../refusal.ts';
import type { KmsCredential, KmsKey } from './kms-credential-types.ts';

export interface GbaCredentialOptions {
  readonly ports: Pick<EnginePorts, 'clock' | 'random' | 'log' | 'bootstrapping'>;
  readonly bsf: BsfAddress;
  /** IMPI. */
  readonly privateIdentity: string;
  readonly method: BootstrapMethod;
  /** Name of the KMS as its certificate proves it: the key is made for it and for nobody else. */
  readonly nafFqdn: string;
}

interface Bootstrapped {
  readonly key: KmsKey & { readonly validUntil: number };
  readonly bootstrappedAt: number;
  /** It was made because the KMS refused the key before it. */
  readonly isReplacement: boolean;
}

const codes: Readonly<Record<BootstrapFailure, RefusalCode>> = {
  'not-proven': 'network-not-proven',
  'not-accepted': 'bootstrapping-refused',
  unavailable: 'kms-unreachable',
  unusable: 'bootstrapping-refused',
};

const happened: Readonly<Record<BootstrapFailure, string>> = {
  'not-proven': 'The server that makes the key did not prove that it belongs to the network of this account',
  'not-accepted': 'The network made no key for this account: it did not accept the account’s SIM or password',
  unavailable: 'The bootstrapping server, which makes the key for the key management server, gave no usable answer',
  unusable: 'No key could be made with the bootstrapping server',
};

/**
 * The key of a KMS by bootstrapping (GBA, profile 6.3): PSK = Ks_NAF, IDRpsk = B-TID. It is made with the first exchange, made again
 * before its end and when the KMS does not take it. Ks_NAF serves MIKEY only; nothing else is ever derived from or proven with it.
 */
export function createGbaCredential(options: GbaCredentialOptions): KmsCredential {
  return new GbaCredential(options);
}

class GbaCredential implements KmsCredential {
  readonly mode: 'gba-aka' | 'gba-digest';
  readonly #options: GbaCredentialOptions;
  /** Newest last; older ones stay for exchanges that still run with them. */
  readonly #made: Bootstrapped[] = [];
  #current: Bootstrapped | undefined;
  #isRejected = false;
  #running: Promise<Bootstrapped> | undefined;
  #isDisposed = false;

  constructor(options: GbaCredentialOptions) {
    this.mode = options.method.mode;
    this.#options = options;
  }

  async current(now: number): Promise<KmsKey> {
    const known = this.#current;
    if (known !== undefined && now < renewAt(known)) return known.key;
    // Whoever asks meanwhile shares one bootstrapping.
    this.#running ??= this.#bootstrap().finally(() => (this.#running = undefined));
    try {
      return (await this.#running).key;
    } catch (error) {
      // Renewing begins before the end: a BSF that is away does not take away a key that is still good.
      if (known === undefined || known !== this.#current || now >= known.key.validUntil) throw error;
      return known.key;
    }
  }

  rejected(key: KmsKey): Promise<'retry' | 'give-up'> {
    const known = this.#current;
    // Another exchange has had it replaced already, or is about to.
    if (known === undefined || known.key !== key) return Promise.resolve('retry');
    const age = this.#options.ports.clock.now() - known.bootstrappedAt;
    // A KMS that refuses the fresh key too refuses the subscriber, not the key: the BSF is not asked for every message.
    if (known.isReplacement && age < limits.rebootstrapMilliseconds) return Promise.resolve('give-up');
    this.#current = undefined;
    this.#isRejected = true;
    return Promise.resolve('retry');
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#current = undefined;
    for (const { key } of this.#made.splice(0)) key.psk.dispose();
  }

  async #bootstrap(): Promise<Bootstrapped> {
    const { ports } = this.#options;
    const isReplacement = this.#isRejected;
    const connection = this.#open();
    try {
      const made = await withDeadline(
        ports.clock,
        limits.bootstrappingMilliseconds,
        this.#exchange(connection),
        () => unreachable(new Error('no answer in time')),
        (late) => late.dispose(),
      );
      return this.#keep(made, isReplacement);
    } catch (error) {
      ports.log.log('warn', 'bootstrapping.failed', { mode: this.mode, reason: describeError(error) });
      throw error;
    } finally {
      connection.close();
    }
  }

  #open(): BsfConnection {
    const { ports, bsf } = this.#options;
    try {
      return ports.bootstrapping.open(bsf);
    } catch (error) {
      throw unreachable(error);
    }
  }

  #keep(made: BootstrappedKey, isReplacement: boolean): Bootstrapped {
    const { ports, nafFqdn, privateIdentity } = this.#options;
    const key = { psk: made.keyFor(nafFqdn), pskId: bytesIdentity(utf8(made.btid)), validUntil: made.validUntil };
    made.dispose();
    if (this.#isDisposed) {
      key.psk.dispose();
      throw refuse('no-kms');
    }
    const kept = { key, bootstrappedAt: ports.clock.now(), isReplacement };
    this.#current = kept;
    this.#isRejected = false;
    this.#made.push(kept);
    if (this.#made.length > limits.bootstrappedKeys) this.#made.shift()?.key.psk.dispose();
    const { btid, validUntil } = made;
    ports.log.log('info', 'bootstrapping.done', {
      subscriber: privateIdentity,
      mode: this.mode,
      btid,
      naf: nafFqdn,
      validUntil,
    });
    return kept;
  }

  async #exchange(connection: BsfConnection): Promise<BootstrappedKey> {
    const { ports, privateIdentity, method, bsf } = this.#options;
    const { pathname, search } = new URL(bsf.url);
    const subject = { username: privateIdentity, uri: `${pathname}${search}` };
    const exchange = new BootstrapExchange(subject, method, ports.random);
    try {
      for (let step: BootstrapStep = exchange.begin(); ;) {
        if (step.step === 'done') return step.key;
        if (step.step === 'failed') throw failed(step.failure, step.reason);
        const reply = await connection.ask(step.compose).catch((error: unknown) => {
          throw unreachable(error);
        });
        step = exchange.handle(reply, ports.clock.now());
      }
    } finally {
      exchange.dispose();
    }
  }
}

/** When less than this is left of its life a key is replaced. */
function renewAt({ key, bootstrappedAt }: Bootstrapped): number {
  const { renewalMarginShare, renewalMarginMaxSeconds } = profile.bootstrapping;
  const margin = Math.min((key.validUntil - bootstrappedAt) * renewalMarginShare, renewalMarginMaxSeconds * 1000);
  return key.validUntil - margin;
}

function failed(failure: BootstrapFailure, reason: string): RefusalError {
  return refuse(codes[failure], 'message', { happened: `${happened[failure]} (${reason})` });
}

/** Like a KMS that is away: what waits for the key goes on waiting. */
function unreachable(error: unknown): RefusalError {
  if (error instanceof ProtocolError && error.kind === 'local') {
    return refuse('bootstrapping-refused', 'message', {
      happened: `The address of the bootstrapping server cannot be used (${error.message})`,
      cause: error,
    });
  }
  return refuse('kms-unreachable', 'message', {
    happened: `The bootstrapping server, which makes the key for the key management server, could not be reached (${describeError(error)})`,
    cause: error,
  });
}
