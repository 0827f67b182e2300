import type { Clock } from '../../base/clock.ts';
import { Events, type Unsubscribe } from '../../base/events.ts';
import type { Random } from '../../base/random.ts';
import type { CheckedInput, ImportOutcome, SearchPage, StorageView } from '../../contract/index.ts';
import { secureRandom } from '../../crypto/random.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import { systemClock } from '../system-clock.ts';
import { AccountDesk, type HostedAccount } from './account-desk.ts';
import { ConversationBook } from './conversation-book.ts';
import type { FileShell } from './file-desk.ts';
import type { HostProfile } from './host-profile.ts';
import { exportHistory, importHistory, type HistoryTransferParts } from './history-transfer.ts';
import { PeopleDesk } from './people-desk.ts';
import { BridgeFault, type BridgeHost, type HostEvent } from './host.ts';

export interface AccountHostOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  /** What the shell does about files; without it the screens can send none. */
  readonly files?: FileShell;
  /** What the accounts share; without it the screens can neither search nor keep anything by rules. */
  readonly profile?: HostProfile;
  /** How messages are kept, where the shell knows more of it than the store does. */
  readonly storage?: () => StorageView;
}

/** Puts accounts of the engine behind a bridge. They are the ones that the screens show, for the whole life of the host. */
export function createAccountHost(accounts: readonly HostedAccount[], options: AccountHostOptions = {}): AccountHost {
  return new AccountHost(accounts, options);
}

export class AccountHost implements BridgeHost {
  readonly #events = new Events<{ readonly host: HostEvent }>();
  readonly #book: ConversationBook;
  readonly #desks: readonly AccountDesk[];
  readonly #clock: Clock;
  readonly #shell: FileShell | undefined;
  readonly #profile: HostProfile | undefined;
  readonly #people: PeopleDesk | undefined;
  readonly #storage: (() => StorageView) | undefined;

  constructor(
    accounts: readonly HostedAccount[],
    { clock = systemClock, random = secureRandom, files: shell, profile, storage }: AccountHostOptions,
  ) {
    this.#clock = clock;
    this.#shell = shell;
    this.#profile = profile;
    this.#storage = storage;
    const emit = (event: HostEvent) => this.#events.emit('host', event);
    this.#book = new ConversationBook(emit);
    const shared = { book: this.#book, clock, random, emit, shell, profile };
    this.#people = profile && new PeopleDesk({ people: profile.people, accounts, emit });
    this.#desks = accounts.map((account) => new AccountDesk({ account, ...shared }));
  }

  close(): void {
    for (const desk of this.#desks) desk.close();
    this.#people?.close();
  }

  snapshot() {
    const { choose = 'none', showFile } = this.#shell ?? {};
    return {
      accounts: this.#desks.map((desk) => desk.view()),
      files: { choose, show: showFile !== undefined },
      storage: this.#storageView(),
      contacts: this.#people?.contacts() ?? [],
      presence: this.#people?.presence() ?? [],
      conversations: this.#book.views(),
    };
  }

  subscribe(listener: (event: HostEvent) => void): Unsubscribe {
    return this.#events.on('host', listener);
  }

  listMessages(input: CheckedInput<'listMessages'>) {
    return this.#book.listMessages(input);
  }

  sendMessage(input: CheckedInput<'sendMessage'>) {
    return this.#desk(input.accountId).sendMessage(input);
  }

  discardMessage({ messageId, ...key }: CheckedInput<'discardMessage'>) {
    const message = this.#book.findMessage(key, messageId);
    if (message?.state === 'queued' || message?.state === 'sent') {
      this.#desk(key.accountId).cancelWaiting(messageId);
      return {};
    }
    if (message !== undefined && message.state !== 'refused' && message.state !== 'failed') {
      throw new BridgeFault('invalid-input', 'Only an attempt that did not arrive can be removed.');
    }
    this.#book.removeMessage(key, messageId);
    return {};
  }

  async retryMessage({ messageId, ...key }: CheckedInput<'retryMessage'>) {
    this.#requireMessage(key, messageId);
    await this.#desk(key.accountId).history.retry(messageId);
    return {};
  }

  askResend({ messageId, ...key }: CheckedInput<'askResend'>) {
    this.#requireMessage(key, messageId);
    return this.#desk(key.accountId).history.askResend(messageId);
  }

  search({ text, limit, after }: CheckedInput<'search'>): SearchPage {
    const store = this.#profile?.store;
    if (store === undefined) throw new BridgeFault('unavailable', 'The messages cannot be searched here.');
    const { hits, next } = store.search({ text, limit, ...(after === undefined ? {} : { after }) });
    return {
      // What is kept of accounts that are not here any more cannot be opened.
      hits: hits
        .filter(({ accountId }) => this.#desks.some(({ id }) => id === accountId))
        .map(({ accountId, message, matches }) => ({ message: { ...message, accountId }, matches })),
      next,
    };
  }

  setRetention(input: CheckedInput<'setRetention'>) {
    return { removed: this.#desk(input.accountId).history.setRetention(input) };
  }

  removeConversation({ accountId, peer }: CheckedInput<'removeConversation'>) {
    this.#desk(accountId).history.removeConversation(peer);
    return {};
  }

  dismissNotice({ accountId, peer, noticeId }: CheckedInput<'dismissNotice'>) {
    this.#desk(accountId).history.dismissNotice(peer, noticeId);
    return {};
  }

  async exportHistory(input: CheckedInput<'exportHistory'>) {
    return exportHistory(this.#transfer(), this.#desk(input.accountId).identity, input);
  }

  async importHistory({ token }: CheckedInput<'importHistory'>): Promise<ImportOutcome> {
    const transfer = this.#transfer();
    const path = this.#shell?.picked.take(token);
    if (path === undefined) throw new BridgeFault('no-such-file', 'This file has to be chosen again.');
    const outcome = await importHistory(
      transfer,
      this.#desks.map((desk) => desk.identity),
      path,
    );
    // Also of a file that was cut off something may have been taken.
    for (const desk of this.#desks) desk.history.resetAll();
    return outcome;
  }

  startGroup({ accountId, members }: CheckedInput<'startGroup'>) {
    return this.#desk(accountId).startGroup(members);
  }

  putContact(input: CheckedInput<'putContact'>) {
    return this.#requirePeople().put(input);
  }

  removeContact({ contactId }: CheckedInput<'removeContact'>) {
    this.#requirePeople().remove(contactId);
    return {};
  }

  importContacts({ cards }: CheckedInput<'importContacts'>) {
    return this.#requirePeople().import(cards);
  }

  exportContacts() {
    return { cards: this.#requirePeople().export() };
  }

  listTrust({ address }: CheckedInput<'listTrust'>) {
    return this.#requirePeople().trust(address);
  }

  setPresence(input: CheckedInput<'setPresence'>) {
    const desk = this.#desk(input.accountId);
    this.#requirePeople().setPresence(input);
    this.#events.emit('host', { event: 'account', account: desk.view() });
    return {};
  }

  unlockStorage(): never {
    throw notWanted();
  }

  setStoragePassphrase(): never {
    throw notWanted();
  }

  skipStorage(): never {
    throw notWanted();
  }

  changeStoragePassphrase(): never {
    throw notWanted();
  }

  listFiles({ accountId, peer }: CheckedInput<'listFiles'>) {
    return { files: this.#desk(accountId).files.list(peer) };
  }

  async chooseFile() {
    return { file: (await this.#shell?.chooseFile?.()) ?? null };
  }

  sendFile(input: CheckedInput<'sendFile'>) {
    return this.#desk(input.accountId).files.send(input);
  }

  acceptFile({ accountId, fileId }: CheckedInput<'acceptFile'>) {
    this.#desk(accountId).files.accept(fileId);
    return {};
  }

  declineFile({ accountId, fileId }: CheckedInput<'declineFile'>) {
    this.#desk(accountId).files.decline(fileId);
    return {};
  }

  pauseFile({ accountId, fileId }: CheckedInput<'pauseFile'>) {
    this.#desk(accountId).files.pause(fileId);
    return {};
  }

  resumeFile({ accountId, fileId, consent }: CheckedInput<'resumeFile'>) {
    this.#desk(accountId).files.resume(fileId, consent);
    return {};
  }

  cancelFile({ accountId, fileId }: CheckedInput<'cancelFile'>) {
    this.#desk(accountId).files.cancel(fileId);
    return {};
  }

  showFile({ accountId, fileId }: CheckedInput<'showFile'>) {
    this.#desk(accountId).files.show(fileId);
    return {};
  }

  openSession(input: CheckedInput<'openSession'>) {
    return this.#desk(input.accountId).openSession(input);
  }

  async closeSession({ accountId, sessionId }: CheckedInput<'closeSession'>) {
    await this.#desk(accountId).closeSession(sessionId);
    return {};
  }

  startConversation({ accountId, peer }: CheckedInput<'startConversation'>) {
    this.#desk(accountId);
    const canonical = tryKmsUserIdentity(peer);
    if (canonical === undefined) {
      throw new BridgeFault('invalid-input', 'This is not an address. Write it like sip:name@example.org.');
    }
    return this.#book.start({ accountId, peer: canonical });
  }

  markRead(key: CheckedInput<'markRead'>) {
    this.#book.markRead(key);
    return {};
  }

  markDisplayed(input: CheckedInput<'markDisplayed'>) {
    this.#desk(input.accountId).markDisplayed(input);
    return {};
  }

  composing(input: CheckedInput<'composing'>) {
    this.#desk(input.accountId).composing(input);
    return {};
  }

  setContactPolicy(input: CheckedInput<'setContactPolicy'>) {
    this.#desk(input.accountId).setContactPolicy(input);
    return {};
  }

  retryKms({ accountId }: CheckedInput<'retryKms'>) {
    return this.#desk(accountId).retryKms();
  }

  acceptServerCertificate({ accountId, sha256 }: CheckedInput<'acceptServerCertificate'>) {
    return this.#desk(accountId).acceptServerCertificate(sha256);
  }

  register({ accountId }: CheckedInput<'register'>) {
    return this.#desk(accountId).register();
  }

  unregister({ accountId }: CheckedInput<'unregister'>) {
    return this.#desk(accountId).unregister();
  }

  #transfer(): HistoryTransferParts {
    if (this.#profile === undefined || this.#shell === undefined) {
      throw new BridgeFault('unavailable', 'Messages can neither be saved nor taken here.');
    }
    return { store: this.#profile.store, shell: this.#shell, now: () => this.#clock.now() };
  }

  #requirePeople(): PeopleDesk {
    if (this.#people === undefined) throw new BridgeFault('unavailable', 'There is no address book here.');
    return this.#people;
  }

  #storageView(): StorageView {
    const keeping = this.#profile?.store.keeping;
    if (keeping?.kept === 'encrypted') return { ...this.#storage?.(), state: 'encrypted', octets: keeping.octets };
    return this.#storage?.() ?? { state: 'memory', reason: keeping?.reason ?? 'There is no place for messages here' };
  }

  #requireMessage(key: { readonly accountId: string; readonly peer: string }, messageId: string): void {
    if (this.#book.findMessage(key, messageId) === undefined) {
      throw new BridgeFault('no-such-message', 'This message is no longer there.');
    }
  }

  #desk(accountId: string): AccountDesk {
    const desk = this.#desks.find(({ id }) => id === accountId);
    if (desk === undefined) throw new BridgeFault('no-such-account', 'There is no such account.');
    return desk;
  }
}

/** A shell that knows of passphrases answers these itself. */
function notWanted(): BridgeFault {
  return new BridgeFault('unavailable', 'No passphrase is wanted here.');
}
