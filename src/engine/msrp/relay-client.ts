import type { CancelTimer } from '../../base/clock.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { randomId } from '../../base/random.ts';
import { parseMsrpUri, type MsrpFramerEvent, type RelayUser } from '../../protocol/msrp/index.ts';
import type { AccountConfig, AccountSecrets } from '../account-config.ts';
import { withDeadline } from '../deadline.ts';
import { limits } from '../limits.ts';
import type { EnginePorts, MsrpConnection, SocketAddress } from '../ports.ts';
import { refuse, type RefusalError } from '../refusal.ts';
import { MsrpLinkDriver, type LinkedParty } from './msrp-link-driver.ts';
import { RelaySeat } from './relay-seat.ts';

export interface RelayClientOptions {
  readonly ports: Pick<EnginePorts, 'clock' | 'random' | 'log' | 'msrp'>;
  /** URIs of our relays, the nearest first. */
  readonly relays: readonly string[];
  readonly user: RelayUser;
  /** PEM certificates trusted instead of the system's. */
  readonly trustedCa?: string;
  /** Seconds asked for each URI; the relay's choice when absent. */
  readonly expires?: number;
}

/** A session's place at our relay, ready to be told to the far end. */
export interface RelayPlace {
  readonly seat: RelaySeat;
  /** Of the relay that we are connected to. */
  readonly host: string;
  readonly localUri: string;
  /** To put before the far end's path in a To-Path. */
  readonly usePath: readonly string[];
  /** The SDP path: the relays from the far end's side, then ourselves (RFC 4976 section 5.1). */
  readonly path: readonly string[];
  /** Told when this place will not last, at once when that is known already. */
  onChanged(listener: (change: RelayChange) => void): void;
}

export interface RelayChange {
  /** `moved`: the relay gave another URI when it was asked to renew this one. `ends`: it gave none. */
  readonly change: 'moved' | 'ends';
  /** When the URI ends that the far end knows, in milliseconds since 1970. */
  readonly endsAt: number;
  readonly error: ProtocolError;
}

/**
 * For the relay that an account names, if it does.
 * @throws Error when the password is missing, ProtocolError for a URI that is none.
 */
export function createRelayClient(
  ports: RelayClientOptions['ports'],
  { msrpRelay, privateIdentity }: Pick<AccountConfig, 'msrpRelay' | 'privateIdentity'>,
  { msrpRelayPassword, password }: AccountSecrets,
): RelayClient | undefined {
  if (msrpRelay === undefined) return undefined;
  const secret = msrpRelayPassword ?? password;
  if (secret === undefined) throw new Error('the password for the relay is missing');
  const { uri, further = [], username = privateIdentity, realm, trustedCa, expires } = msrpRelay;
  return new RelayClient({
    ports,
    relays: [uri, ...further],
    user: { username, password: secret, ...(realm === undefined ? {} : { realm }) },
    ...(trustedCa === undefined ? {} : { trustedCa }),
    ...(expires === undefined ? {} : { expires }),
  });
}

/** One connection to the relay of an account; carries all its sessions that use the relay. */
export class RelayClient {
  readonly host: string;
  readonly #options: RelayClientOptions;
  #driver: Promise<MsrpLinkDriver> | undefined;

  /** @throws ProtocolError `malformed` for a URI that is none, `local` for one without TLS. */
  constructor(options: RelayClientOptions) {
    this.#options = options;
    // RFC 4976 section 8: AUTH goes over TLS only.
    for (const relay of options.relays) {
      if (parseMsrpUri(relay, 'relay').scheme === 'msrps') continue;
      throw new ProtocolError('local', 'not msrps', {
        field: 'msrp.relay',
        expected: 'a relay that is reached by TLS',
      });
    }
    this.host = parseMsrpUri(options.relays[0] ?? '', 'relay').host;
  }

  /**
   * A place for one new session.
   * @throws RefusalError `relay-refused` or `relay-unreachable`.
   */
  async place(): Promise<RelayPlace> {
    const { log } = this.#options.ports;
    try {
      return await this.#placeOn(await this.#connected());
    } catch (error) {
      log.log('warn', 'relay.no-place', { host: this.host, reason: describeError(error) });
      throw refusalFor(error, this.host);
    }
  }

  /** Ends the connection, and with it the sessions on it. */
  close(): void {
    const driver = this.#driver;
    this.#driver = undefined;
    void driver?.then((open) => open.close()).catch(() => undefined);
  }

  #connected(): Promise<MsrpLinkDriver> {
    if (this.#driver !== undefined) return this.#driver;
    const connecting = this.#connect();
    this.#driver = connecting;
    const forget = (): void => {
      if (this.#driver === connecting) this.#driver = undefined;
    };
    connecting.then((driver) => driver.isClosed && forget(), forget);
    return connecting;
  }

  async #connect(): Promise<MsrpLinkDriver> {
    const { ports, trustedCa } = this.#options;
    const security = {
      mode: 'relay',
      serverName: this.host.replace(/^\[|\]$/g, ''),
      ...(trustedCa === undefined ? {} : { trustedCa }),
    } as const;
    let failure: unknown;
    for (const address of await this.#addresses()) {
      try {
        const connection = await ports.msrp.connect(address, security, limits.mediaSetupMilliseconds);
        if (connection.security !== 'relay' || connection.tls === undefined) {
          connection.close();
          throw new ProtocolError('peer-misbehaved', 'not protected', { field: 'tls.relay', expected: 'TLS' });
        }
        return this.#keep(connection);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  #keep(connection: MsrpConnection): MsrpLinkDriver {
    const { ports } = this.#options;
    const onClosed = (): void => {
      this.#driver = undefined;
      keeper.lost();
    };
    const driver = new MsrpLinkDriver({ connection, clock: ports.clock, onClosed });
    const keeper = new Keeper(driver, ports, limits.relayIdleMilliseconds);
    driver.add(keeper);
    return driver;
  }

  async #addresses(): Promise<readonly SocketAddress[]> {
    const { host, port } = parseMsrpUri(this.#options.relays[0] ?? '', 'relay');
    const name = host.replace(/^\[|\]$/g, '');
    if (port !== undefined) return [{ host: name, port }];
    return (await this.#options.ports.msrp.findRelay?.(name)) ?? [{ host: name, port: 2855 }];
  }

  async #placeOn(driver: MsrpLinkDriver): Promise<RelayPlace> {
    const { ports, relays, user, expires } = this.#options;
    const { clock, random } = ports;
    const { local } = driver.connection;
    const host = local.host.includes(':') ? `[${local.host}]` : local.host;
    const localUri = `msrps://${host}:${local.port}/${randomId(random, 12)};tcp`;
    let expiresAt: number | undefined;
    let change: RelayChange | undefined;
    let tell: ((change: RelayChange) => void) | undefined;
    const changed = (happened: RelayChange): void => {
      if (tell === undefined) change = happened;
      else tell(happened);
    };
    let seat: RelaySeat | undefined;
    let isPlaced = false;
    const granted = new Promise<readonly string[]>((resolve, reject) => {
      const options = { localUri, relays, user, random, ...(expires === undefined ? {} : { expires }) };
      seat = new RelaySeat(driver, clock, options, {
        onGranted: (grant) => {
          if (grant.moved) {
            changed({ change: 'moved', endsAt: expiresAt ?? clock.now(), error: movedAway() });
            return;
          }
          expiresAt = grant.expiresAt;
          isPlaced = true;
          resolve(grant.usePath);
        },
        onRefused: (error, status) => {
          if (isPlaced) {
            changed({ change: 'ends', endsAt: expiresAt ?? clock.now(), error });
          } else reject(new NoPlace(error, status));
        },
      });
    });
    // A seat that could not be made has rejected the promise.
    const usePath = await withDeadline(
      clock,
      limits.relayAuthMilliseconds,
      granted,
      () => new ProtocolError('expired', 'no URI in time', { field: 'msrp.relay', expected: 'an answer to AUTH' }),
    ).catch((error: unknown) => {
      seat?.close();
      throw error;
    });
    if (seat === undefined) throw new ProtocolError('local', 'no place', { field: 'msrp.relay' });
    return {
      seat,
      host: this.host,
      localUri,
      usePath,
      path: pathOf(usePath, localUri),
      onChanged: (listener) => {
        tell = listener;
        if (change !== undefined) listener(change);
        change = undefined;
      },
    };
  }
}

/** RFC 4976 section 5.1: "reverses the list of URIs in the Use-Path header ..., and appends the client's own URI". */
function pathOf(usePath: readonly string[], localUri: string): readonly string[] {
  return [...usePath].reverse().concat(localUri);
}

function movedAway(): ProtocolError {
  return new ProtocolError('peer-incompatible', 'the relay gave another URI for a session that has one', {
    field: 'msrp.Use-Path',
    expected: 'the same URI for longer',
  });
}

/** Why AUTH gave no URI. */
class NoPlace extends Error {
  readonly status: number | undefined;

  constructor(cause: ProtocolError, status: number | undefined) {
    super(cause.message, { cause });
    this.status = status;
  }
}

function refusalFor(error: unknown, host: string): RefusalError {
  if (error instanceof NoPlace && error.status !== undefined) {
    return refuse('relay-refused', 'session', {
      happened: `The relay ${host} gave this account no place for the session`,
      cause: error.cause,
    });
  }
  if (error instanceof ProtocolError && error.field.startsWith('tls.')) {
    return refuse('tls-failed', 'session', {
      happened: `The relay ${host} did not prove its name, so nothing was sent to it`,
      cause: error,
    });
  }
  return refuse('relay-unreachable', 'session', { happened: `The relay ${host} could not be reached`, cause: error });
}

/**
 * Keeps the connection while no session uses it: RFC 4976 section 5.4 has an hour for the client's own relays. Speaks to
 * nobody.
 */
class Keeper implements LinkedParty {
  readonly localUri: string;
  readonly nextHop: string;
  readonly #driver: MsrpLinkDriver;
  readonly #ports: RelayClientOptions['ports'];
  readonly #idle: number;
  #cancelTimer: CancelTimer;

  constructor(driver: MsrpLinkDriver, ports: RelayClientOptions['ports'], idle: number) {
    this.localUri = `msrps://keeper.invalid:1/${randomId(ports.random, 12)};tcp`;
    this.nextHop = this.localUri;
    this.#driver = driver;
    this.#ports = ports;
    this.#idle = idle;
    this.#cancelTimer = this.#look();
  }

  nextOutput(): undefined {
    return undefined;
  }

  take(_event: MsrpFramerEvent): void {
    // Nobody knows its URI; what came for it would go nowhere.
  }

  settle(): void {
    // It has nothing of its own.
  }

  lost(): void {
    this.#cancelTimer();
  }

  #look(): CancelTimer {
    return this.#ports.clock.after(this.#idle, () => {
      if (this.#driver.size <= 1) this.#driver.close();
      else this.#cancelTimer = this.#look();
    });
  }
}
