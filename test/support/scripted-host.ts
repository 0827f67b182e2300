import type {
  AccountView,
  CheckedInput,
  ContactView,
  ConversationNotice,
  Evidence,
  ExportOutcome,
  FileAbilities,
  FileView,
  ImportOutcome,
  KmsState,
  MessageView,
  PassphraseOutcome,
  PickedFile,
  PresenceViewOfPeer,
  ProtectionLevel,
  Refusal,
  RegistrationState,
  Retention,
  SendOutcome,
  SearchPage,
  SessionOutcome,
  StorageView,
  TrustRecordView,
} from '../../src/contract/index.ts';
import { ConversationBook } from '../../src/node/bridge/conversation-book.ts';
import { ConversationNotices } from '../../src/node/bridge/conversation-notices.ts';
import { BridgeFault, type BridgeHost, type HostEvent } from '../../src/node/bridge/host.ts';
import { evidenceFor } from './evidence.ts';
import { ScriptedHistory } from './scripted-history.ts';

export interface Script {
  /** What happens to a send: the level it reaches, or the refusal. */
  send(input: CheckedInput<'sendMessage'>): ProtectionLevel | Refusal | { readonly waits: Refusal };
  /** Milliseconds until it happens. */
  readonly delay: number;
  /** What the peer writes back, if anything. */
  answer?(input: CheckedInput<'sendMessage'>): string | undefined;
}

const now = () => Date.now();

/** An engine made of a script: behaves as the real one does on the bridge, without a network. */
export class ScriptedHost implements BridgeHost {
  script: Script;
  account: AccountView;
  abilities: FileAbilities = { choose: 'dialog', show: true };
  storage: StorageView = { state: 'encrypted', octets: 1_200_000 };
  readonly files: FileView[] = [];
  /** Calls about files, as they came. */
  readonly fileCalls: string[] = [];
  /** What the dialog gives. */
  chosen: PickedFile | null = { token: 'token', name: 'plan.pdf', size: 5_000_000, type: 'application/pdf' };
  readonly sent: CheckedInput<'sendMessage'>[] = [];
  readonly book: ConversationBook;
  readonly #listeners = new Set<(event: HostEvent) => void>();
  readonly #history = new ScriptedHistory();
  readonly #notices = new ConversationNotices(() => `n${++this.#ids}`);
  /** Members by id of the group. */
  readonly groups = new Map<string, readonly string[]>();
  readonly rules = new Map<string, Retention>();
  /** Calls about messages that are there, as they came. */
  readonly messageCalls: string[] = [];
  #ids = 0;

  constructor(account: Partial<AccountView> = {}, script: Partial<Script> = {}) {
    this.account = {
      id: 'alice',
      identity: 'sip:alice@lab.test',
      displayName: 'Alice',
      domain: 'lab.test',
      policy: 'prefer-e2e',
      registration: { state: 'registered', expires: 600 },
      transport: 'tls',
      kms: 'sip:kms.lab.test',
      retention: 'for-ever',
      flows: [],
      hasGroups: false,
      ownDevices: [],
      tickets: { kept: 'sealed', explanation: 'Key tickets are kept on this device, encrypted.' },
      kmsState: { state: 'ready', since: now(), explanation: 'The key management server answers.' },
      ...account,
    };
    this.script = { send: () => 'e2e', delay: 0, ...script };
    this.book = new ConversationBook((event) => this.#emit(event));
    this.book.addAccount(this.account.id, this.#history, {
      members: (peer) => this.groups.get(peer),
      retention: (peer) => this.rules.get(peer),
      notices: (peer) => this.#notices.of(peer),
    });
  }

  /** A message is new, or has changed. */
  put({ accountId, ...message }: MessageView): void {
    this.#history.put(message);
    this.book.putMessage({ ...message, accountId });
  }

  snapshot() {
    return {
      accounts: [this.account],
      files: this.abilities,
      storage: this.storage,
      contacts: this.contacts,
      presence: this.presence,
      conversations: this.book.views(),
    };
  }

  subscribe(listener: (event: HostEvent) => void) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A message comes in. */
  receive(peer: string, text: string, level: ProtectionLevel, change: Partial<MessageView> = {}): MessageView {
    const message: MessageView = {
      ...this.#blank(peer, text, 'message', level),
      direction: 'in',
      from: peer,
      to: this.account.identity,
      state: 'received',
      ...change,
    };
    this.put({
      ...message,
      evidence: change.evidence ?? evidenceFor(level, message.way, message.at, peer),
    });
    return message;
  }

  setRegistration(registration: RegistrationState): RegistrationState {
    this.account = { ...this.account, registration };
    this.#emit({ event: 'account', account: this.account });
    return registration;
  }

  listMessages(input: CheckedInput<'listMessages'>) {
    return this.book.listMessages(input);
  }

  async sendMessage(input: CheckedInput<'sendMessage'>): Promise<SendOutcome> {
    this.#checkAccount(input.accountId);
    this.sent.push(input);
    const key = { accountId: input.accountId, peer: input.to };
    if (input.replaces !== undefined) this.book.removeMessage(key, input.replaces);
    const sending = this.#blank(input.to, input.text, input.way, 'none');
    this.put(sending);
    await wait(this.script.delay);
    const result = input.consent === true ? 'e2ae' : this.script.send(input);
    if (typeof result !== 'string' && 'waits' in result) {
      const waiting: MessageView = { ...sending, state: 'queued', problem: result.waits };
      this.put(waiting);
      return { outcome: 'waiting', message: waiting };
    }
    if (typeof result !== 'string') {
      const refused: MessageView = { ...sending, state: 'refused', problem: result };
      this.put(refused);
      return { outcome: 'refused', refusal: result, message: refused };
    }
    const evidence = evidenceFor(result, input.way, now(), input.to);
    const sent: MessageView = { ...sending, level: result, evidence, state: 'accepted' };
    if (input.way === 'msrp') this.#openSession(key, result, evidence);
    this.put(sent);
    void wait(this.script.delay).then(() => {
      this.put({ ...sent, state: 'delivered' });
      const answer = this.script.answer?.(input);
      if (answer !== undefined) this.receive(input.to, answer, result, { way: input.way });
    });
    return { outcome: 'sent', message: sent };
  }

  /** A file comes to be, or changes. */
  putFile(peer: string, change: Partial<FileView> = {}): FileView {
    const id = change.id ?? `f${++this.#ids}`;
    const known = this.files.findIndex((file) => file.id === id);
    const file: FileView = {
      id,
      accountId: this.account.id,
      conversation: peer,
      direction: 'in',
      name: 'plan.pdf',
      type: 'application/pdf',
      size: 5_000_000,
      state: 'offered',
      transferred: 0,
      at: now(),
      ...this.files[known],
      ...change,
    };
    if (known < 0) this.files.push(file);
    else this.files[known] = file;
    const { name, direction, at } = file;
    this.book.putFile({ accountId: this.account.id, peer }, { name, direction, at }, known < 0 && direction === 'in');
    this.#emit({ event: 'file', file });
    return file;
  }

  listFiles({ peer }: CheckedInput<'listFiles'>) {
    return { files: this.files.filter((file) => file.conversation === peer) };
  }

  chooseFile() {
    return { file: this.chosen };
  }

  sendFile({ to, token, icon }: CheckedInput<'sendFile'>) {
    this.fileCalls.push(`send ${token}`);
    const { name, size, type } = this.chosen ?? { name: 'upload', size: 1, type: 'text/plain' };
    const preview = icon === undefined ? {} : { icon: { contentType: 'image/webp' as const, base64: icon } };
    const file = this.putFile(to, { direction: 'out', name, size, type, ...preview });
    return { outcome: 'offered' as const, file };
  }

  acceptFile({ fileId }: CheckedInput<'acceptFile'>) {
    return this.#fileCall('accept', fileId, 'waiting');
  }

  declineFile({ fileId }: CheckedInput<'declineFile'>) {
    return this.#fileCall('decline', fileId, 'declined');
  }

  pauseFile({ fileId }: CheckedInput<'pauseFile'>) {
    return this.#fileCall('pause', fileId, 'paused');
  }

  resumeFile({ fileId, consent }: CheckedInput<'resumeFile'>) {
    return this.#fileCall(consent === true ? 'resume with consent' : 'resume', fileId, 'waiting');
  }

  cancelFile({ fileId }: CheckedInput<'cancelFile'>) {
    return this.#fileCall('cancel', fileId, 'cancelled');
  }

  showFile({ fileId }: CheckedInput<'showFile'>) {
    return this.#fileCall('show', fileId);
  }

  #fileCall(what: string, id: string, state?: FileView['state']) {
    this.fileCalls.push(`${what} ${id}`);
    const file = this.files.find((known) => known.id === id);
    if (file === undefined) throw new BridgeFault('no-such-file', 'There is no such file.');
    if (state !== undefined) this.putFile(file.conversation, { id, state });
    return {};
  }

  discardMessage({ messageId, ...key }: CheckedInput<'discardMessage'>) {
    this.book.removeMessage(key, messageId);
    return {};
  }

  async retryMessage({ messageId, ...key }: CheckedInput<'retryMessage'>) {
    this.messageCalls.push(`retry ${messageId}`);
    const message = this.book.findMessage(key, messageId);
    if (message === undefined) throw new BridgeFault('no-such-message', 'This message is no longer there.');
    const { text, way } = message;
    await this.sendMessage({ accountId: key.accountId, to: key.peer, text, way, replaces: messageId });
    return {};
  }

  askOutcome: 'asked' | 'asked-enough' | 'without-id' = 'asked';
  askResend({ messageId }: CheckedInput<'askResend'>) {
    this.messageCalls.push(`ask ${messageId}`);
    return { outcome: this.askOutcome };
  }

  search({ text, limit, after }: CheckedInput<'search'>): SearchPage {
    return this.#history.search(this.account.id, text, limit, after);
  }

  setRetention({ accountId, peer, keep }: CheckedInput<'setRetention'>) {
    this.messageCalls.push(`keep ${peer ?? 'all'} ${keep}`);
    if (peer === undefined) {
      this.account = { ...this.account, retention: keep ?? 'for-ever' };
      this.#emit({ event: 'account', account: this.account });
    } else {
      if (keep === null) this.rules.delete(peer);
      else this.rules.set(peer, keep);
      this.book.touch({ accountId, peer });
    }
    return { removed: 0 };
  }

  removeConversation(key: CheckedInput<'removeConversation'>) {
    this.#history.removeConversation(key.peer);
    this.book.reset(key, true);
    return {};
  }

  tell(peer: string, notice: Omit<ConversationNotice, 'id'>): void {
    this.#notices.add(peer, notice);
    this.book.touch({ accountId: this.account.id, peer });
  }

  dismissNotice({ noticeId, ...key }: CheckedInput<'dismissNotice'>) {
    this.#notices.remove(key.peer, noticeId);
    this.book.touch(key);
    return {};
  }

  exported: ExportOutcome = { outcome: 'saved', where: '/home/alice/bob.html' };
  exportHistory({ peer, format }: CheckedInput<'exportHistory'>) {
    this.messageCalls.push(`export ${peer ?? 'all'} ${format}`);
    return this.exported;
  }

  imported: ImportOutcome = { outcome: 'done', taken: 2, known: 1, leftOut: { 'It had not been sent yet': 1 } };
  importHistory({ token }: CheckedInput<'importHistory'>) {
    this.messageCalls.push(`import ${token}`);
    return this.imported;
  }

  startGroup({ accountId, members }: CheckedInput<'startGroup'>) {
    this.groups.set('group:1', [...members, this.account.identity]);
    return this.book.start({ accountId, peer: 'group:1' });
  }

  contacts: ContactView[] = [];
  presence: PresenceViewOfPeer[] = [];
  trust: TrustRecordView[] = [];
  putContact({ contact }: CheckedInput<'putContact'>) {
    if (contact.addresses.length === 0) {
      return { outcome: 'refused' as const, field: 'addresses', explanation: 'A contact needs an address.' };
    }
    const kept = { ...contact, id: contact.id ?? `c${++this.#ids}` };
    this.contacts = [...this.contacts.filter(({ id }) => id !== kept.id), kept];
    this.#emit({ event: 'contacts', contacts: this.contacts });
    return { outcome: 'kept' as const, contact: kept };
  }

  removeContact({ contactId }: CheckedInput<'removeContact'>) {
    this.contacts = this.contacts.filter(({ id }) => id !== contactId);
    this.#emit({ event: 'contacts', contacts: this.contacts });
    return {};
  }

  importContacts({ cards }: CheckedInput<'importContacts'>) {
    if (!cards.startsWith('BEGIN:VCARD'))
      throw new BridgeFault('invalid-input', 'This is no file of contacts (vCard).');
    return { added: 2, updated: 1, unchanged: 0, refused: [{ line: 9, why: 'It has no address' }] };
  }

  exportContacts() {
    return { cards: 'BEGIN:VCARD' };
  }

  listTrust() {
    return { records: this.trust };
  }

  setPresence({ watches }: CheckedInput<'setPresence'>) {
    this.account = { ...this.account, presence: { watches } };
    this.#emit({ event: 'account', account: this.account });
    return {};
  }

  /** The passphrase that opens a locked storage. */
  passphrase = 'correct horse';
  setStorage(storage: StorageView): void {
    this.storage = storage;
    this.#emit({ event: 'storage', storage });
  }

  unlockStorage({ passphrase }: CheckedInput<'unlockStorage'>): PassphraseOutcome {
    if (passphrase !== this.passphrase) return { outcome: 'wrong-passphrase' };
    this.setStorage({ state: 'encrypted', passphrase: true });
    return { outcome: 'done' };
  }

  setStoragePassphrase({ passphrase }: CheckedInput<'setStoragePassphrase'>): PassphraseOutcome {
    this.passphrase = passphrase;
    this.setStorage({ state: 'encrypted', passphrase: true });
    return { outcome: 'done' };
  }

  skipStorage() {
    this.setStorage({ state: 'memory', reason: 'No passphrase was set' });
    return {};
  }

  changeStoragePassphrase({ old, fresh }: CheckedInput<'changeStoragePassphrase'>): PassphraseOutcome {
    if (old !== this.passphrase) return { outcome: 'wrong-passphrase' };
    this.passphrase = fresh;
    return { outcome: 'done' };
  }

  async openSession({ accountId, to }: CheckedInput<'openSession'>): Promise<SessionOutcome> {
    const key = { accountId, peer: to };
    this.book.setSession(key, { id: `session-${++this.#ids}`, state: 'opening' });
    await wait(this.script.delay);
    const result = this.script.send({ accountId, to, text: '', way: 'msrp' });
    if (typeof result !== 'string') {
      if ('waits' in result) throw new Error('sessions do not wait');
      this.book.setSession(key, undefined);
      return { outcome: 'refused', refusal: result };
    }
    return { outcome: 'opened', session: this.#openSession(key, result, evidenceFor(result, 'msrp', now(), to)) };
  }

  closeSession({ accountId, sessionId }: CheckedInput<'closeSession'>) {
    const open = this.book.views().find((view) => view.accountId === accountId && view.session?.id === sessionId);
    if (open !== undefined) this.book.setSession(open, undefined);
    return {};
  }

  startConversation(key: CheckedInput<'startConversation'>) {
    return this.book.start(key);
  }

  readonly displayed: CheckedInput<'markDisplayed'>[] = [];
  markDisplayed(input: CheckedInput<'markDisplayed'>) {
    this.displayed.push(input);
    return {};
  }

  readonly composed: CheckedInput<'composing'>[] = [];
  composing(input: CheckedInput<'composing'>) {
    this.composed.push(input);
    return {};
  }

  markRead(key: CheckedInput<'markRead'>) {
    this.book.markRead(key);
    return {};
  }

  setContactPolicy({ policy, ...key }: CheckedInput<'setContactPolicy'>) {
    this.book.setPolicy(key, policy ?? undefined);
    return {};
  }

  setKmsState(kmsState: KmsState): KmsState {
    this.account = { ...this.account, kmsState };
    this.#emit({ event: 'account', account: this.account });
    return kmsState;
  }

  async retryKms({ accountId }: CheckedInput<'retryKms'>) {
    this.#checkAccount(accountId);
    await wait(this.script.delay);
    return this.setKmsState({ state: 'ready', since: now(), explanation: 'The key management server answers.' });
  }

  readonly accepted: string[] = [];
  acceptServerCertificate({ sha256 }: CheckedInput<'acceptServerCertificate'>) {
    this.accepted.push(sha256);
    return this.setRegistration({ state: 'registered', expires: 600 });
  }

  async register({ accountId }: CheckedInput<'register'>) {
    this.#checkAccount(accountId);
    this.setRegistration({ state: 'registering' });
    await wait(this.script.delay);
    return this.setRegistration({ state: 'registered', expires: 600 });
  }

  unregister({ accountId }: CheckedInput<'unregister'>) {
    this.#checkAccount(accountId);
    return this.setRegistration({ state: 'unregistered' });
  }

  #openSession(key: { accountId: string; peer: string }, level: ProtectionLevel, evidence: Evidence) {
    const session = { id: `session-${++this.#ids}`, state: 'open' as const, level, evidence };
    this.book.setSession(key, session);
    return session;
  }

  #blank(peer: string, text: string, way: MessageView['way'], level: ProtectionLevel): MessageView {
    return {
      id: `m${++this.#ids}`,
      accountId: this.account.id,
      conversation: peer,
      direction: 'out',
      from: this.account.identity,
      to: peer,
      text,
      at: now(),
      way,
      level,
      state: 'sent',
    };
  }

  #checkAccount(accountId: string): void {
    if (accountId !== this.account.id) throw new BridgeFault('no-such-account', 'There is no such account.');
  }

  #emit(event: HostEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
