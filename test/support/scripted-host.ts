import type {
  AccountView,
  CheckedInput,
  Evidence,
  FileAbilities,
  FileView,
  KmsState,
  MessageView,
  PickedFile,
  ProtectionLevel,
  Refusal,
  RegistrationState,
  SendOutcome,
  SessionOutcome,
} from '../../src/contract/index.ts';
import { ConversationBook } from '../../src/node/bridge/conversation-book.ts';
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
  readonly files: FileView[] = [];
  /** Calls about files, as they came. */
  readonly fileCalls: string[] = [];
  /** What the dialog gives. */
  chosen: PickedFile | null = { token: 'token', name: 'plan.pdf', size: 5_000_000, type: 'application/pdf' };
  readonly sent: CheckedInput<'sendMessage'>[] = [];
  readonly book: ConversationBook;
  readonly #listeners = new Set<(event: HostEvent) => void>();
  readonly #history = new ScriptedHistory();
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
      tickets: { kept: 'sealed', explanation: 'Key tickets are kept on this device, encrypted.' },
      kmsState: { state: 'ready', since: now(), explanation: 'The key management server answers.' },
      ...account,
    };
    this.script = { send: () => 'e2e', delay: 0, ...script };
    this.book = new ConversationBook((event) => this.#emit(event));
    this.book.addAccount(this.account.id, this.#history);
  }

  /** A message is new, or has changed. */
  put({ accountId, ...message }: MessageView): void {
    this.#history.put(message);
    this.book.putMessage({ ...message, accountId });
  }

  snapshot() {
    return { accounts: [this.account], files: this.abilities, conversations: this.book.views() };
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
