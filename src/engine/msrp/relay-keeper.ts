import type { CancelTimer } from '../../base/clock.ts';
import { randomId } from '../../base/random.ts';
import type { MsrpFramerEvent } from '../../protocol/msrp/index.ts';
import type { EnginePorts } from '../ports.ts';
import type { LinkedParty, MsrpLinkDriver } from './msrp-link-driver.ts';

type KeeperPorts = Pick<EnginePorts, 'clock' | 'random'>;

/**
 * Keeps the connection while no session uses it: RFC 4976 section 5.4 has an hour for the client's own relays. Speaks to
 * nobody.
 */
export class Keeper implements LinkedParty {
  readonly localUri: string;
  readonly nextHop: string;
  readonly #driver: MsrpLinkDriver;
  readonly #ports: KeeperPorts;
  readonly #idle: number;
  #cancelTimer: CancelTimer;

  constructor(driver: MsrpLinkDriver, ports: KeeperPorts, idle: number) {
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
