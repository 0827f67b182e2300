import { Account } from './account.ts';
import type { AccountConfig, AccountSecrets, SipServerConfig } from './account-config.ts';
import { DeviceCertificates } from './device-certificates.ts';
import { deviceInstance } from './device-instance.ts';
import type { FileStorage } from './files/file-storage.ts';
import { People } from './people.ts';
import type { EnginePorts, SipTarget, TicketStorage } from './ports.ts';
import { acceptServerCertificate } from './server-trust.ts';
import { SoftwareSim } from './sim/index.ts';
import { createMemoryStore, type Store } from './store/index.ts';
import { createSipUserAgent, type SipAccount, type SipAuthentication } from './sip/index.ts';

/** The application without a face: its accounts, and what they share. */
export class Engine {
  /** Everything that outlives the program, where it can. */
  readonly store: Store;
  /** Contacts, and what is known of those that the user talks to; engines on one store share them. */
  readonly people: People;
  readonly #ports: EnginePorts;
  readonly #accounts = new Map<string, Account>();
  readonly #certificates: DeviceCertificates;

  constructor(ports: EnginePorts) {
    this.store = ports.store ?? createMemoryStore({ reason: 'No place to keep it is configured' });
    // One store for the accounts and for what belongs to none of them.
    this.#ports = { ...ports, store: this.store };
    this.#certificates = DeviceCertificates.of(ports);
    this.people = People.of(this.#ports, this.store);
  }

  /** Files of this machine; absent where none are kept. */
  get files(): FileStorage | undefined {
    return this.#ports.files;
  }

  get accounts(): readonly Account[] {
    return [...this.#accounts.values()];
  }

  /**
   * The account does nothing before `register`.
   * @param ticketStorage where its key tickets outlive the program; in memory only when absent.
   * @throws Error when the id is taken, or the secrets of its mode are missing. */
  addAccount(config: AccountConfig, secrets: AccountSecrets, ticketStorage?: TicketStorage): Account {
    if (this.#accounts.has(config.id)) throw new Error('an account with this id exists');
    const sim = this.#sim(config, secrets);
    const userAgent = createSipUserAgent({
      ports: this.#ports,
      account: {
        identity: config.identity,
        privateIdentity: config.privateIdentity,
        authentication: sipAuthentication(config, secrets, sim),
        domain: config.domain,
        target: sipTarget(config.server, secrets),
        instanceId: () => deviceInstance(this.#ports, config.id),
        ...sipSettings(config, secrets),
      },
    });
    const account = new Account({
      ports: this.#ports,
      config,
      secrets,
      userAgent,
      certificate: () => this.#certificates.current(),
      sim,
      ticketStorage,
      isContact: (peer) => this.people.contacts.find(peer) !== undefined,
      receiptsOf: (peer) => this.people.contacts.find(peer)?.receipts,
    });
    this.#accounts.set(config.id, account);
    this.people.attach(account, userAgent);
    return account;
  }

  /** One SIM for everything that an account does with it: its sequence numbers are one. */
  #sim({ authentication }: AccountConfig, { sim: keys }: AccountSecrets): SoftwareSim | undefined {
    if (keys === undefined) return undefined;
    const amf = authentication?.mode === 'aka' ? authentication.amf : undefined;
    return new SoftwareSim({ keys, state: this.#ports.simState, options: amf === undefined ? {} : { amf } });
  }

  /**
   * The user takes the certificate that the account's SIP server shows for the right one; the next connection does.
   * @param sha256 as in `CertificateFacts.sha256`. @throws ProtocolError `local` where certificates are not remembered.
   */
  async acceptServerCertificate(id: string, sha256: string): Promise<void> {
    const account = this.#accounts.get(id);
    if (account === undefined) throw new Error('there is no such account');
    await acceptServerCertificate(account.config.server, this.#ports.serverPins, sha256);
  }

  /** Nothing of the account stays: no ticket, no message, no memory of keys. @throws StoreError */
  async removeAccount(id: string): Promise<void> {
    const account = this.#accounts.get(id);
    this.#accounts.delete(id);
    await this.people.detach(id);
    this.people.trust.forgetAccount(id);
    await account?.dropTickets();
    await account?.stop();
    this.#ports.store?.removeAccount(id);
    await this.#ports.store?.durable();
  }

  /** Within a bounded time; never rejects. */
  async stop(): Promise<void> {
    await Promise.all(this.accounts.map((account) => this.people.detach(account.config.id).then(() => account.stop())));
    this.#accounts.clear();
  }
}

function sipTarget(
  { clientCertificates: certificates, ...target }: SipServerConfig,
  { clientPrivateKey: privateKey }: AccountSecrets,
): SipTarget {
  if (certificates === undefined) return target;
  if (privateKey === undefined) throw new Error('the private key of the client certificate is missing');
  return { ...target, clientCertificate: { certificates, privateKey } };
}

/** What an account may set, and most do not. */
function sipSettings(config: AccountConfig, secrets: AccountSecrets): Partial<SipAccount> {
  const { secondServer, mediasecOptionTag, displayName, preferredIdentity, accessNetworkInfo, flowRecovery } = config;
  const { digestQop, registrationEvents } = config;
  return {
    ...(secondServer === undefined ? {} : { secondTarget: sipTarget(secondServer, secrets) }),
    ...(mediasecOptionTag === undefined ? {} : { mediasecOptionTag }),
    ...(displayName === undefined ? {} : { displayName }),
    ...(secrets.credentials === undefined ? {} : { credentials: secrets.credentials }),
    ...(digestQop === undefined ? {} : { digestQop }),
    ...(registrationEvents === undefined ? {} : { registrationEvents }),
    ...(preferredIdentity === undefined ? {} : { preferredIdentity }),
    ...(accessNetworkInfo === undefined ? {} : { accessNetworkInfo }),
    ...(flowRecovery === undefined ? {} : { flowRecovery }),
  };
}

function sipAuthentication(
  { authentication }: AccountConfig,
  { password }: AccountSecrets,
  sim: SoftwareSim | undefined,
): SipAuthentication {
  if (authentication?.mode === 'aka') {
    if (sim === undefined) throw new Error('the keys of the SIM are missing');
    return { mode: 'aka', sim };
  }
  if (password === undefined) throw new Error('the password is missing');
  return { mode: 'digest', password };
}
