import { describeError } from '../../base/errors.ts';
import { Events, type Unsubscribe } from '../../base/events.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import { withDeadline } from '../deadline.ts';
import { limits } from '../limits.ts';
import type { EnginePorts } from '../ports.ts';
import type { RegistrationState, SipUserAgent } from '../sip/index.ts';
import type { Note, NoteStore } from '../store/index.ts';
import { PresencePublisher } from './presence-publisher.ts';
import { presenceStates, type OwnPresenceView, type PresenceState, type PresenceView } from './presence-types.ts';
import { PresenceWatcher } from './presence-watcher.ts';

export interface AccountPresenceOptions {
  readonly ports: Pick<EnginePorts, 'clock' | 'log' | 'random'>;
  readonly userAgent: Pick<SipUserAgent, 'events' | 'registration' | 'subscribe' | 'publish'>;
  /** Our own address. */
  readonly self: string;
  /** Those of the account. */
  readonly notes: NoteStore;
}

export interface PresenceEvents {
  /** Of a contact that is watched. */
  readonly presence: PresenceView;
  readonly own: OwnPresenceView;
}

/** What the user wants of presence in one account; all of it off unless the user says so. */
export interface PresenceSettings {
  /** Contacts are watched. */
  readonly watches: boolean;
  /** Our own state is told to the network. */
  readonly publishes: boolean;
  readonly state: PresenceState;
  readonly note?: string;
}

export type WatchOutcome = 'watched' | 'too-many' | 'invalid-address';

const kinds = { settings: 'presence', watched: 'presence.watched' } as const;
const noteCharacters = 200;
const unpublishMilliseconds = 2_000;

/** Presence of one account: contacts that are watched, and our own state, for as long as the account is registered. */
export class AccountPresence {
  readonly events: Events<PresenceEvents>;
  readonly #options: AccountPresenceOptions;
  readonly #watcher: PresenceWatcher;
  readonly #publisher: PresencePublisher;
  readonly #unsubscribe: readonly Unsubscribe[];
  #settings: PresenceSettings;
  #publication: OwnPresenceView['publication'] = 'off';
  #isRegistered = false;

  constructor(options: AccountPresenceOptions) {
    const { ports, userAgent, self, notes } = options;
    this.#options = options;
    this.events = new Events((error) =>
      ports.log.log('error', 'presence.listener-failed', { reason: describeError(error) }),
    );
    this.#settings = readSettings(notes.get(kinds.settings, 'settings'));
    this.#watcher = new PresenceWatcher({
      ports,
      userAgent,
      onChange: (view) => this.events.emit('presence', view),
      onUnsupported: () => this.#unsupported('watch'),
    });
    this.#publisher = new PresencePublisher({
      ports,
      userAgent,
      self,
      onChange: (publication) => this.#published(publication),
      onUnsupported: () => this.#unsupported('publish'),
    });
    for (const { key } of notes.list(kinds.watched)) this.#watcher.add(key);
    this.#unsubscribe = [
      userAgent.events.on('registration', (state) => this.#registration(state)),
      // A subscription lives on one connection, and its loss is not told to it.
      userAgent.events.on('flow', ({ connected }) => {
        if (!connected && userAgent.registration.state === 'registered') this.#begin();
      }),
    ];
    this.#registration(userAgent.registration);
  }

  get settings(): PresenceSettings {
    return this.#settings;
  }

  own(): OwnPresenceView {
    const { state, note, watches } = this.#settings;
    return { state, ...(note === undefined ? {} : { note }), watches, publication: this.#publication };
  }

  /** Of the contacts that are to be watched. */
  views(): readonly PresenceView[] {
    return this.#watcher.views();
  }

  watch(address: string): WatchOutcome {
    const peer = tryKmsUserIdentity(address);
    if (peer === undefined) return 'invalid-address';
    if (!this.#watcher.add(peer)) return 'too-many';
    this.#options.notes.set(kinds.watched, peer, true);
    return 'watched';
  }

  /** False when it was not watched. */
  unwatch(address: string): boolean {
    const peer = tryKmsUserIdentity(address) ?? address;
    this.#options.notes.delete(kinds.watched, peer);
    return this.#watcher.remove(peer);
  }

  /** Turns watching or telling on or off, or changes our own state. What is turned on anew is asked of the network anew. */
  configure(change: Partial<PresenceSettings>): OwnPresenceView {
    const before = this.#settings;
    const { note: noteBefore, ...others } = before;
    const { note = noteBefore, ...changed } = change;
    const text =
      note
        ?.replace(/[\p{Cc}\s]+/gu, ' ')
        .trim()
        .slice(0, noteCharacters)
        .toWellFormed() ?? '';
    this.#settings = { ...others, ...changed, ...(text === '' ? {} : { note: text }) };
    const { notes } = this.#options;
    notes.set(kinds.settings, 'settings', { ...this.#settings });
    if (this.#settings.watches && change.watches === true) notes.delete(kinds.settings, 'watch');
    if (this.#settings.publishes && change.publishes === true) notes.delete(kinds.settings, 'publish');
    if (change.watches === true) this.#watcher.forgetRefusals();
    if (change.watches !== undefined && this.#isRegistered) this.#beginWatching();
    const isOther = change.publishes ?? change.state ?? change.note;
    if (isOther !== undefined && this.#isRegistered) this.#tell();
    const own = this.own();
    this.events.emit('own', own);
    return own;
  }

  /** Ends subscriptions and takes back what was told, within a bounded time. Never rejects. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#watcher.stop();
    if (!this.#isRegistered) return;
    const late = (): Error => new Error('no answer');
    await withDeadline(this.#options.ports.clock, unpublishMilliseconds, this.#publisher.tell(undefined), late).catch(
      () => undefined,
    );
    this.#publisher.pause();
  }

  #registration({ state }: RegistrationState): void {
    const isRegistered = state === 'registered';
    if (isRegistered === this.#isRegistered) return;
    this.#isRegistered = isRegistered;
    if (isRegistered) {
      this.#begin();
      return;
    }
    this.#watcher.stop();
    this.#publisher.pause();
    this.#published('off');
  }

  #begin(): void {
    this.#beginWatching();
    this.#tell();
  }

  #beginWatching(): void {
    if (!this.#settings.watches) this.#watcher.stop();
    else if (this.#isRefused('watch')) this.#watcher.stop('unsupported');
    else this.#watcher.start();
  }

  #tell(): void {
    const { publishes, state, note } = this.#settings;
    if (!publishes) void this.#publisher.tell(undefined);
    else if (this.#isRefused('publish')) this.#published('unsupported');
    else void this.#publisher.tell({ state, note });
  }

  #published(publication: OwnPresenceView['publication']): void {
    if (this.#publication === publication) return;
    this.#publication = publication;
    this.events.emit('own', this.own());
  }

  /** Remembered over restarts, so that a network without presence is not asked at every registration. */
  #unsupported(what: 'watch' | 'publish'): void {
    this.#options.notes.set(kinds.settings, what, this.#options.ports.clock.now());
    if (what === 'watch') this.#watcher.stop('unsupported');
  }

  #isRefused(what: 'watch' | 'publish'): boolean {
    const at = this.#options.notes.get(kinds.settings, what);
    return typeof at === 'number' && this.#options.ports.clock.now() - at < limits.presenceRefusedMilliseconds;
  }
}

function readSettings(note: Note | undefined): PresenceSettings {
  const fields = (typeof note === 'object' && note !== null ? note : {}) as Readonly<Record<string, unknown>>;
  const { watches, publishes, state, note: text } = fields;
  return {
    watches: watches === true,
    publishes: publishes === true,
    state: presenceStates.find((name) => name === state) ?? 'available',
    ...(typeof text === 'string' ? { note: text } : {}),
  };
}
