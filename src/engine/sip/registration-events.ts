import type { CancelTimer, Clock } from '../../base/clock.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import {
  readReginfo,
  reginfoContentType,
  RegistrationTable,
  type RegisteredContact,
  type RegistrationElement,
} from '../../protocol/reginfo/index.ts';
import { parseSipUri } from '../../protocol/sip/headers.ts';
import type { EventSubscription, OutgoingSubscription, OwnDevice } from './types.ts';

export interface RegistrationEventsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Our public identity, to which it subscribes. */
  readonly identity: string;
  /** Whether a contact is this device. */
  readonly isOwn: (contact: Pick<RegisteredContact, 'uri' | 'instanceId'>) => boolean;
  /** A document came. @param changed what it told. @param current what is registered now. */
  readonly onChanged: (changed: readonly RegistrationElement[], current: readonly RegistrationElement[]) => void;
  readonly onOwnDevices: (devices: readonly OwnDevice[]) => void;
}

/** A flow that the registration stands over. */
export interface SubscribingFlow {
  subscribe(subscription: OutgoingSubscription): EventSubscription;
}

const longestExpires = 600_000;
const retryMilliseconds = 60_000;
const maxDevices = 32;
/** Refusals that another try a minute later may change. */
const passing: readonly number[] = [408, 500, 503, 504];

/**
 * The subscription to the state of our own registration (RFC 3680, TS 24.229 clause 5.1.1.3), for as long as the registration
 * stands: what the network does to it, and which other devices the user has. A network that does not offer it is asked once.
 */
export class RegistrationEvents {
  readonly #options: RegistrationEventsOptions;
  #subscription: EventSubscription | undefined;
  #table = new RegistrationTable();
  #isRefused = false;
  /** The one that the registration stands over; undefined while there is none. */
  #flow: SubscribingFlow | undefined;
  #isRetryPlanned = false;
  #cancelRetry: CancelTimer = () => undefined;
  /** When full state was asked for last, for want of it. */
  #askedForAllAt: number | undefined;
  #devices: readonly OwnDevice[] = [];

  constructor(options: RegistrationEventsOptions) {
    this.#options = options;
  }

  get ownDevices(): readonly OwnDevice[] {
    return this.#devices;
  }

  /** The registration stands over that flow, or was renewed. */
  registered(flow: SubscribingFlow): void {
    if (flow !== this.#flow) this.#drop();
    this.#flow = flow;
    if (this.#subscription === undefined && !this.#isRefused && !this.#isRetryPlanned) this.#subscribe(flow);
  }

  /** The registration is over: so is what was told of it. */
  ended(): void {
    if (this.#flow === undefined) return;
    this.#flow = undefined;
    this.#isRefused = false;
    this.#drop();
    this.#tell([]);
  }

  #subscribe(flow: SubscribingFlow): void {
    this.#table = new RegistrationTable();
    const subscription = flow.subscribe({
      to: this.#options.identity,
      event: 'reg',
      accept: reginfoContentType,
      expires: longestExpires,
      onNotify: ({ contentType, body }) => {
        if (this.#subscription === subscription) this.#notified(contentType, body);
      },
      // Neither is called before the answer of a server, nor after `end`.
      onEnded: ({ status }) => {
        this.#subscription = undefined;
        this.#over(status);
      },
    });
    this.#subscription = subscription;
  }

  #over(status: number | undefined): void {
    const isRefused = status !== undefined && !passing.includes(status);
    this.#options.log.log('info', 'sip.registration-events-ended', status === undefined ? {} : { status });
    if (isRefused) this.#isRefused = true;
    else this.#retryLater();
  }

  #retryLater(): void {
    this.#isRetryPlanned = true;
    this.#cancelRetry = this.#options.clock.after(retryMilliseconds, () => {
      this.#isRetryPlanned = false;
      if (this.#flow !== undefined) this.#subscribe(this.#flow);
    });
  }

  #drop(): void {
    this.#isRetryPlanned = false;
    this.#cancelRetry();
    const subscription = this.#subscription;
    this.#subscription = undefined;
    subscription?.end();
  }

  #notified(contentType: string, body: Uint8Array): void {
    const { log } = this.#options;
    try {
      if (!contentType.toLowerCase().startsWith(reginfoContentType)) return;
      const change = this.#table.apply(readReginfo(body));
      if (change.kind === 'updated') this.#updated(change.changed);
      if (change.kind === 'gap') this.#askForAll();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      log.log('warn', 'sip.reginfo-refused', { reason: describeError(error) });
    }
  }

  /** RFC 3680 clause 5.1: documents are missing; a fresh subscription begins with full state. */
  #askForAll(): void {
    this.#options.log.log('info', 'sip.reginfo-gap', {});
    const { clock } = this.#options;
    const flow = this.#flow;
    this.#drop();
    if (flow === undefined) return;
    // A notifier whose documents always have gaps would be asked without end.
    const isAgain = this.#askedForAllAt !== undefined && clock.now() - this.#askedForAllAt < retryMilliseconds;
    this.#askedForAllAt = clock.now();
    if (isAgain) this.#retryLater();
    else this.#subscribe(flow);
  }

  #updated(changed: readonly RegistrationElement[]): void {
    const { registrations } = this.#table;
    this.#tell(ownDevices(registrations, this.#options.isOwn));
    this.#options.onChanged(changed, registrations);
  }

  #tell(devices: readonly OwnDevice[]): void {
    if (JSON.stringify(devices) === JSON.stringify(this.#devices)) return;
    this.#devices = devices;
    this.#options.onOwnDevices(devices);
  }
}

/** Every other device once, by its instance or else its address. */
function ownDevices(
  registrations: readonly RegistrationElement[],
  isOwn: RegistrationEventsOptions['isOwn'],
): readonly OwnDevice[] {
  const devices = new Map<string, OwnDevice>();
  for (const contact of registrations.flatMap(({ contacts }) => contacts)) {
    const { uri, instanceId, displayName } = contact;
    if (isOwn(contact) || devices.size >= maxDevices) continue;
    const name = displayName ?? hostOf(uri);
    devices.set(instanceId ?? uri, { name, uri, ...(instanceId === undefined ? {} : { instanceId }) });
  }
  return [...devices.values()];
}

function hostOf(uri: string): string {
  try {
    return parseSipUri(uri).host;
  } catch {
    return uri;
  }
}
