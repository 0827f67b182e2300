import { silentLogger, type Logger } from '../../../src/base/log.ts';
import type { Random } from '../../../src/base/random.ts';
import { FakeClock } from '../../../src/base/clock.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { createDeviceCertificate } from '../../../src/crypto/certificate.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { Account, type IncomingRefusal } from '../../../src/engine/account.ts';
import type { AccountConfig } from '../../../src/engine/account-config.ts';
import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import type { FileStorage } from '../../../src/engine/files/file-storage.ts';
import { limits } from '../../../src/engine/limits.ts';
import type { EnginePorts } from '../../../src/engine/ports.ts';
import type { FlowFacts } from '../../../src/engine/sip/index.ts';
import type { Store } from '../../../src/engine/store/index.ts';
import { MemoryKms } from './memory-kms.ts';
import { MemoryMsrpNetwork } from './memory-msrp.ts';
import type { MortalDevice } from './mortal-device.ts';
import { MemorySipNetwork, type MemoryUserAgent } from './memory-sip.ts';

export interface User {
  readonly account: Account;
  readonly userAgent: MemoryUserAgent;
  readonly received: ChatMessage[];
  readonly states: ChatMessage[];
  readonly refused: IncomingRefusal[];
}

export type UserOptions = Partial<AccountConfig> & {
  readonly flow?: FlowFacts;
  readonly noKms?: boolean;
  readonly noPskTls?: boolean;
  /** Files are not taken without one. */
  readonly storage?: FileStorage;
  /** What outlives the program; each user has one of its own otherwise. */
  readonly store?: Store;
  /** A device whose program can be killed. */
  readonly device?: MortalDevice;
  /** Registers at once unless said. */
  readonly isOffline?: boolean;
  /** Address of the device. */
  readonly host?: string;
  /** Beside the devices of the same user that are there, instead of in their place. */
  readonly isAnotherDevice?: boolean;
};

/** Accounts of two or more engines, a network between them and a KMS, all in memory on one clock. */
export class World {
  readonly clock = new FakeClock(Date.UTC(2026, 3, 1, 12));
  readonly kms = new MemoryKms(this.clock);
  readonly sip = new MemorySipNetwork();
  readonly msrp = new MemoryMsrpNetwork();
  readonly logLines: string[] = [];
  readonly #random: Random;
  readonly #log: Logger = {
    log: (level, event, fields) => {
      this.logLines.push(JSON.stringify({ level, event, ...fields }));
      silentLogger.log(level, event, fields);
    },
  };

  constructor(random: Random = secureRandom) {
    this.#random = random;
  }

  /** A registered user `sip:<name>@lab.test`. */
  async user(name: string, options: UserOptions = {}): Promise<User> {
    const { flow, noKms = false, noPskTls = false, storage, host = '192.0.2.10', ...more } = options;
    const { store, device, isOffline = false, isAnotherDevice = false, ...overrides } = more;
    const identity = `sip:${name}@lab.test`;
    const userAgent = this.sip.agent(identity, flow, isAnotherDevice);
    const life = device?.start(this.clock);
    life?.live(userAgent);
    const ports = {
      ...this.#ports(host, !noPskTls),
      ...(storage === undefined ? {} : { files: storage }),
      ...(store === undefined ? {} : { store }),
      ...(life === undefined ? {} : { store: life.store, clock: life.clock }),
    };
    const config: AccountConfig = {
      id: identity,
      identity,
      privateIdentity: `${name}@lab.test`,
      domain: 'lab.test',
      server: { host: '192.0.2.1', port: 5061, protocol: 'tls' },
      policy: 'prefer-e2e',
      // What a test counts is what it sends: who wants notifications of single messages asks for them.
      receipts: { askDelivery: false, askDisplay: false },
      ...(noKms ? {} : { kms: this.#kmsConfig(identity) }),
      ...overrides,
    };
    const secrets = { password: new SecretBytes(utf8('secret')), kmsPsk: this.kms.pskOf(identity) };
    const certificate = await createDeviceCertificate({ commonName: 'test', now: this.clock.now() });
    const account = new Account({
      ports,
      config,
      secrets,
      userAgent,
      certificate: () => Promise.resolve(certificate),
    });
    const user: User = { account, userAgent, received: [], states: [], refused: [] };
    account.events.on('messageReceived', (message) => user.received.push(message));
    account.events.on('messageState', (message) => user.states.push(message));
    account.events.on('incomingRefused', (refused) => user.refused.push(refused));
    if (!isOffline) await account.register();
    return user;
  }

  /** The program of a device ends as if it were killed: nothing more comes to it or from it. */
  async kill({ userAgent, account }: User): Promise<void> {
    this.sip.remove(userAgent);
    await account.stop();
  }

  /** Lets time pass in steps that are shorter than every wait for an answer. */
  async pass(milliseconds: number): Promise<void> {
    for (let left = milliseconds; left > 0; left -= 2_500) {
      this.clock.advance(Math.min(left, 2_500));
      await settle();
    }
  }

  /** The KMS answers again, and every account's next attempt is due. */
  async kmsReturns(): Promise<void> {
    this.kms.fault = 'none';
    this.clock.advance(limits.kmsBackOffLongestMilliseconds);
    await settle();
  }

  #ports(host: string, canDoPskTls: boolean): EnginePorts {
    return {
      clock: this.clock,
      random: this.#random,
      log: this.#log,
      sip: {
        locate: () => Promise.reject(new Error('not used')),
        connect: () => Promise.reject(new Error('not used')),
      },
      msrp: this.msrp.sockets(host, canDoPskTls),
      keyManagement: this.kms,
      bootstrapping: {
        open: () => ({ ask: () => Promise.reject(new Error('no BSF here')), close: () => undefined }),
      },
    };
  }

  #kmsConfig(pskId: string): NonNullable<AccountConfig['kms']> {
    return {
      address: { url: 'https://kms.lab.test', bodyEncoding: 'base64' },
      identity: this.kms.identity,
      credential: { mode: 'static-psk', pskId },
      suite: '256',
    };
  }
}

/** Lets everything happen that needs no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
