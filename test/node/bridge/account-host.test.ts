import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { Events } from '../../../src/base/events.ts';
import type { MessageView } from '../../../src/contract/index.ts';
import type { AccountEvents, SendFileRequest, SendRequest } from '../../../src/engine/account.ts';
import type { ChatMessage, SendOutcome, SessionView } from '../../../src/engine/chat-message.ts';
import type { FileView } from '../../../src/engine/files/file-view.ts';
import { AccountHistory } from '../../../src/engine/messages/account-history.ts';
import { createMemoryStore } from '../../../src/engine/store/index.ts';
import type { KmsState } from '../../../src/engine/tickets/kms-state.ts';
import { refusal } from '../../../src/engine/refusal.ts';
import type { HostedAccount } from '../../../src/node/bridge/account-desk.ts';
import { createAccountHost } from '../../../src/node/bridge/account-host.ts';
import { createBridge } from '../../../src/node/bridge/bridge.ts';
import { BridgeFault } from '../../../src/node/bridge/host.ts';
import { People } from '../../../src/engine/people.ts';
import type { EnginePorts } from '../../../src/engine/ports.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { PickedFiles } from '../../../src/node/bridge/picked-files.ts';
import { evidenceFor } from '../../support/evidence.ts';

const alice = 'sip:alice@lab.test';
const bob = 'sip:bob@lab.test';

function engineFile(change: Partial<FileView> = {}): FileView {
  return {
    id: 'f1',
    peer: bob,
    direction: 'in',
    name: 'plan.pdf',
    type: 'application/pdf',
    size: 10,
    state: 'offered',
    transferred: 0,
    at: 7,
    ...change,
  };
}

class FakeFiles {
  known: FileView[] = [];
  readonly calls: string[] = [];
  isPossible = true;
  views = () => this.known;
  accept = (id: string) => this.#called(`accept ${id}`);
  decline = (id: string) => this.#called(`decline ${id}`);
  pause = (id: string) => this.#called(`pause ${id}`);
  resume = (id: string, consent?: boolean) => this.#called(`resume ${id} ${consent}`);
  cancel = (id: string) => this.#called(`cancel ${id}`);
  #called(what: string): boolean {
    this.calls.push(what);
    return this.isPossible;
  }
}

class FakeAccount implements HostedAccount {
  readonly config = {
    id: 'alice',
    identity: alice,
    privateIdentity: 'alice',
    domain: 'lab.test',
    server: { host: '127.0.0.1', port: 5061, protocol: 'tls' as const, serverName: 'lab.test' },
    policy: 'prefer-e2e' as const,
    contactPolicies: { 'sip:carol@lab.test': 'require-e2e' as const },
  };
  readonly events = new Events<AccountEvents>();
  readonly sends: { request: SendRequest; settle: (outcome: SendOutcome) => void }[] = [];
  kms: KmsState = { state: 'ready', since: 1, explanation: 'It answers.' };
  mayCancel = true;
  readonly cancelled: string[] = [];
  sessions: SessionView[] = [];
  policies: unknown[] = [];
  readonly store = createMemoryStore({ reason: 'test' });
  readonly history = new AccountHistory({
    accountId: 'alice',
    store: this.store,
    account: this.store.account('alice'),
    giveUp: () => undefined,
  });

  register() {
    return Promise.resolve({ state: 'registered' as const, expires: 60, associatedIdentities: [alice] });
  }
  unregister() {
    return Promise.resolve({ state: 'unregistered' as const });
  }
  /** Keeps the message as `engine-<number of the send>` and tells of it, as the engine does. */
  sendMessage(request: SendRequest) {
    const { text, way } = request;
    const level = 'none' as const;
    return new Promise<SendOutcome>((settle) => {
      this.sends.push({ request, settle });
      this.tell(chatMessage({ id: `engine-${this.sends.length}`, text, way, level, state: 'queued' }));
    });
  }
  /** A message came to be or changed. */
  tell(message: ChatMessage, event: 'messageState' | 'messageReceived' = 'messageState') {
    this.keep(message);
    this.events.emit(event, message);
  }
  keep(message: ChatMessage) {
    const { messages } = this.store.account('alice');
    if (messages.get(message.id) === undefined) messages.add(message);
    else messages.change(message.id, { ...message, problem: message.problem });
  }
  contactPolicies() {
    return new Map([['sip:carol@lab.test', 'require-e2e' as const]]);
  }
  cancelMessage(id: string) {
    this.cancelled.push(id);
    const message = this.mayCancel ? this.history.remove(id) : undefined;
    if (message !== undefined) this.events.emit('messageCancelled', message);
    return this.mayCancel;
  }
  retryKms() {
    return Promise.resolve(this.kms);
  }
  openSession() {
    const session = sessionTo(bob);
    this.sessions.push(session);
    this.events.emit('session', { change: 'opened', session });
    return Promise.resolve({ outcome: 'opened' as const, session });
  }
  closeSession(id: string) {
    const session = this.sessions.find((open) => open.id === id);
    this.sessions = this.sessions.filter((open) => open.id !== id);
    if (session !== undefined) this.events.emit('session', { change: 'closed', session, reason: 'asked' });
    return Promise.resolve(session !== undefined);
  }
  status() {
    return {
      identity: alice,
      policy: this.config.policy,
      registration: { state: 'unregistered' as const },
      flows: [],
      ownDevices: [],
      sessions: this.sessions,
      kms: this.kms,
      tickets: { kept: 'memory' as const, explanation: 'In memory.' },
      endToEnd: { keyManagementServer: null, pskTls: true },
    };
  }
  readonly asked: string[] = [];
  readonly outbox = {
    retry: (id: string) => {
      this.asked.push(`retry ${id}`);
      return Promise.resolve(this.history.get(id));
    },
  };
  askResend(id: string) {
    this.asked.push(`resend ${id}`);
    return 'asked' as const;
  }
  setContactReceipts() {}
  sendToGroup(): never {
    throw new Error('no groups here');
  }
  startGroup(): never {
    throw new Error('no groups here');
  }
  groupMembers() {
    return undefined;
  }
  readonly files = new FakeFiles();
  readonly fileRequests: SendFileRequest[] = [];
  sendFile(request: SendFileRequest) {
    this.fileRequests.push(request);
    const file = engineFile({ direction: 'out', state: 'preparing' });
    return Promise.resolve({ outcome: 'offered' as const, file });
  }
  readonly seen: unknown[] = [];
  markDisplayed(...args: unknown[]) {
    this.seen.push(args);
  }
  readonly written: unknown[] = [];
  composing(request: object) {
    this.written.push(request);
    return true;
  }
  setContactPolicy(...args: unknown[]) {
    this.policies.push(args);
  }
}

function sessionTo(peer: string): SessionView {
  return { id: 's1', peer, direction: 'out', level: 'e2e', evidence: evidenceFor('e2e', 'msrp', 1, peer), openedAt: 1 };
}

function chatMessage(change: Partial<ChatMessage>): ChatMessage {
  return {
    id: 'engine-1',
    conversation: bob,
    direction: 'out',
    from: alice,
    to: bob,
    text: 'hello',
    at: 5,
    way: 'message',
    level: 'e2e',
    evidence: evidenceFor('e2e', 'message', 5, bob),
    state: 'accepted',
    ...change,
  };
}

function setUp(prepare: (account: FakeAccount) => void = () => undefined) {
  const account = new FakeAccount();
  prepare(account);
  const picked = new PickedFiles();
  const shown: string[] = [];
  const files = { choose: 'dialog' as const, picked, showFile: (path: string) => void shown.push(path) };
  const host = createAccountHost([account], { clock: new FakeClock(), files });
  const bridge = createBridge({ host });
  const call = async (name: string, input: object): Promise<never> => {
    const reply = await bridge.handle({ id: 1, call: name, input: { accountId: 'alice', ...input } });
    return (reply.ok ? reply.output : reply) as never;
  };
  const messages = (): readonly MessageView[] =>
    host.listMessages({ accountId: 'alice', peer: bob, limit: 100 }).messages;
  const states = () => messages().map(({ text, state }) => `${text} ${state}`);
  const send = (text: string, more: object = {}) => {
    const outcome = call('sendMessage', { to: bob, text, way: 'message', ...more });
    const settle = async (result: SendOutcome) => {
      if (result.outcome !== 'offered' && result.message !== undefined) account.tell(result.message);
      account.sends.at(-1)!.settle(result);
      return outcome;
    };
    return { outcome, settle };
  };
  return { account, host, bridge, call, messages, states, send, picked, shown };
}

describe('account host', () => {
  it('shows a message from the moment it is sent and keeps its place and id to the end', async () => {
    const { account, messages, states, send } = setUp();
    const sending = send('hello');
    expect(states()).toEqual(['hello queued']);
    const { id } = messages()[0]!;
    account.tell(chatMessage({ id: 'in-1', direction: 'in', text: 'hi', state: 'received' }), 'messageReceived');
    account.tell(chatMessage({ state: 'sent' }));
    expect(states()).toEqual(['hello sent', 'hi received']);
    await sending.settle({ outcome: 'sent', message: chatMessage({}) });
    account.tell(chatMessage({ state: 'delivered' }));
    expect(states()).toEqual(['hello delivered', 'hi received']);
    expect(messages()[0]!.id).toBe(id);
  });

  it('shows what somebody else sends through the same account, once', async () => {
    const { account, states, send } = setUp();
    const sending = send('mine');
    account.tell(chatMessage({ id: 'other', text: 'theirs' }));
    await sending.settle({ outcome: 'sent', message: chatMessage({ text: 'mine' }) });
    expect(states()).toEqual(['mine accepted', 'theirs accepted']);
  });

  it('keeps a refused attempt until it is replaced with consent', async () => {
    const { account, states, messages, send } = setUp();
    const problem = refusal('consent-required', 'message', { offered: 'e2ae' });
    const message = chatMessage({ state: 'refused', problem });
    const refused = await send('hello').settle({ outcome: 'refused', refusal: problem, message });
    expect(refused).toMatchObject({ outcome: 'refused', refusal: { code: 'consent-required', offered: 'e2ae' } });
    expect(states()).toEqual(['hello refused']);
    const again = send('hello', { consent: true, replaces: messages()[0]!.id });
    expect(account.sends.at(-1)!.request).toMatchObject({ consent: true });
    await again.settle({ outcome: 'sent', message: chatMessage({ id: 'engine-2', level: 'e2ae' }) });
    expect(states()).toEqual(['hello accepted']);
  });

  it('answers for an attempt of which nothing is kept, and shows none', async () => {
    const { account, messages, bridge } = setUp();
    account.sendMessage = () => Promise.resolve({ outcome: 'refused', refusal: refusal('too-large') });
    const input = { accountId: 'alice', to: bob, text: 'long', way: 'message' };
    expect(await bridge.handle({ id: 1, call: 'sendMessage', input })).toMatchObject({
      output: { outcome: 'refused', message: { state: 'refused', problem: { code: 'too-large' } } },
    });
    expect(messages).toThrow(BridgeFault);
  });

  it('lets a refused attempt be discarded, and nothing that was sent', async () => {
    const { call, states, messages, send } = setUp();
    const message = chatMessage({ text: 'no', state: 'refused', problem: refusal('no-kms') });
    await send('no').settle({ outcome: 'refused', refusal: refusal('no-kms'), message });
    await send('yes').settle({ outcome: 'sent', message: chatMessage({ id: 'engine-2', text: 'yes' }) });
    const [no, yes] = messages();
    expect(await call('discardMessage', { peer: bob, messageId: yes!.id })).toMatchObject({ ok: false });
    await call('discardMessage', { peer: bob, messageId: no!.id });
    expect(states()).toEqual(['yes accepted']);
  });

  it('keeps a waiting message in its place until it goes or is taken back', async () => {
    const { account, call, states, messages, send } = setUp();
    const problem = refusal('kms-unreachable', 'waiting');
    const unsent = chatMessage({ state: 'queued', level: 'none', problem });
    expect(await send('hello').settle({ outcome: 'waiting', message: unsent })).toMatchObject({ outcome: 'waiting' });
    expect(states()).toEqual(['hello queued']);
    const { id } = messages()[0]!;
    account.mayCancel = false;
    expect(await call('discardMessage', { peer: bob, messageId: id })).toMatchObject({ ok: false });
    expect(account.cancelled).toEqual(['engine-1']);
    account.tell(chatMessage({ state: 'accepted' }));
    expect(states()).toEqual(['hello accepted']);
    expect(messages()[0]!.id).toBe(id);
    await send('two').settle({ outcome: 'waiting', message: { ...unsent, id: 'engine-2', text: 'two' } });
    account.mayCancel = true;
    await call('discardMessage', { peer: bob, messageId: messages()[1]!.id });
    expect(states()).toEqual(['hello accepted']);
  });

  it('shows the state of the key server, and has it tried at once', async () => {
    const { account, host, call } = setUp();
    account.kms = { state: 'unreachable', since: 1, nextAttempt: 5, explanation: 'Away.' };
    const told: unknown[] = [];
    host.subscribe((event) => told.push(event));
    account.events.emit('kms', account.kms);
    expect(told).toMatchObject([{ event: 'account', account: { kmsState: { state: 'unreachable', nextAttempt: 5 } } }]);
    expect(await call('retryKms', {})).toMatchObject({ state: 'unreachable' });
  });

  it('joins different spellings of an address in one conversation', async () => {
    const { call, host, send } = setUp();
    await call('startConversation', { peer: 'sip:bob@LAB.test;transport=tls' });
    send('hello', { to: 'sip:bob@Lab.Test' });
    expect(host.snapshot().conversations.map(({ peer }) => peer)).toEqual(['sip:carol@lab.test', bob]);
    expect(await call('startConversation', { peer: 'nobody' })).toMatchObject({ ok: false });
  });

  it('shows the session that is open', async () => {
    const { call, host } = setUp();
    const session = () => host.snapshot().conversations.find(({ peer }) => peer === bob)?.session;
    expect(await call('openSession', { to: bob })).toMatchObject({ outcome: 'opened', session: { level: 'e2e' } });
    expect(session()).toMatchObject({ id: 's1', state: 'open', level: 'e2e' });
    await call('closeSession', { sessionId: 's1' });
    expect(session()).toBeUndefined();
  });

  it('shows what came in and was refused, but not copies', () => {
    const { account, messages } = setUp();
    const problem = refusal('policy-not-met', 'received', { reached: 'none' });
    const message = chatMessage({ id: 'in-1', direction: 'in', text: '', state: 'refused', problem });
    account.keep(message);
    account.events.emit('incomingRefused', { way: 'message', peer: bob, refusal: problem, message });
    account.events.emit('incomingRefused', { way: 'message', peer: bob, refusal: refusal('replayed', 'received') });
    expect(messages()).toMatchObject([{ direction: 'in', state: 'refused', text: '', problem: { reached: 'none' } }]);
  });

  it('takes over what was said before, with what was not read yet, and the policies of contacts', async () => {
    const { call, host, states } = setUp((account) =>
      account.keep(chatMessage({ direction: 'in', state: 'received', text: 'earlier' })),
    );
    expect(states()).toEqual(['earlier received']);
    expect(host.snapshot().conversations).toMatchObject([
      { peer: bob, unread: 1, lastMessage: { text: 'earlier' } },
      { peer: 'sip:carol@lab.test', policy: 'require-e2e' },
    ]);
    await call('markRead', { peer: bob });
    expect(host.snapshot().conversations[0]).toMatchObject({ unread: 0 });
  });

  it('passes a policy on and returns a contact to the policy of the account', async () => {
    const { account, call, host } = setUp();
    await call('setContactPolicy', { peer: bob, policy: 'any' });
    await call('setContactPolicy', { peer: bob, policy: null });
    expect(account.policies).toEqual([
      [bob, 'any'],
      [bob, undefined],
    ]);
    expect(host.snapshot().conversations.find(({ peer }) => peer === bob)?.policy).toBeUndefined();
  });

  it('passes on what was seen and what is being typed, and shows who is writing', async () => {
    const { account, call, bridge } = setUp((account) => account.keep(chatMessage({ direction: 'in', from: bob })));
    const views: unknown[] = [];
    bridge.subscribe((event) => {
      if (event.event === 'conversation') views.push(event.payload.conversation.isPeerWriting);
    });
    await call('markDisplayed', { peer: bob, messageId: 'engine-1' });
    await call('composing', { peer: bob, isWriting: true });
    expect([account.seen, account.written]).toEqual([[[bob, 'engine-1']], [{ to: bob, isWriting: true }]]);
    account.events.emit('composing', { peer: bob, isWriting: true });
    account.events.emit('composing', { peer: bob, isWriting: true });
    account.events.emit('composing', { peer: 'sip:stranger@lab.test', isWriting: true });
    account.events.emit('composing', { peer: bob, isWriting: false });
    expect(views).toEqual([true, undefined]);
  });
});

describe('files on the screens', () => {
  it('are sent by a token that main gave, once, and never by a path', async () => {
    const { account, call, picked } = setUp();
    const { token, name } = await picked.add(import.meta.filename);
    expect(name).toBe('account-host.test.ts');
    const icon = Buffer.from('icon').toString('base64');
    expect(await call('sendFile', { to: bob, token, icon })).toMatchObject({
      outcome: 'offered',
      file: { conversation: bob, direction: 'out' },
    });
    expect(account.fileRequests).toEqual([
      { to: bob, path: import.meta.filename, icon: Uint8Array.from(Buffer.from('icon')) },
    ]);
    for (const other of [token, import.meta.filename]) {
      expect(await call('sendFile', { to: bob, token: other })).toMatchObject({ error: { code: 'no-such-file' } });
    }
    expect(account.fileRequests.length).toBe(1);
  });

  it('are told with their preview, and count as unread when they are new', async () => {
    const { account, bridge, host, call } = setUp();
    const events: unknown[] = [];
    bridge.subscribe((event) => events.push(event));
    const icon = { contentType: 'image/png' as const, bytes: Uint8Array.of(1, 2, 3) };
    account.files.known = [engineFile({ icon })];
    account.events.emit('file', engineFile({ icon }));
    account.events.emit('file', engineFile({ icon, state: 'waiting' }));
    expect(events).toContainEqual({
      event: 'file',
      payload: expect.objectContaining({
        file: expect.objectContaining({
          state: 'offered',
          icon: { contentType: 'image/png', base64: 'AQID' },
        }) as unknown,
      }) as unknown,
    });
    const [, talk] = host.snapshot().conversations;
    expect(talk).toMatchObject({ peer: bob, unread: 1, lastFile: { name: 'plan.pdf', direction: 'in', at: 7 } });
    expect(await call('listFiles', { peer: bob })).toMatchObject({ files: [{ id: 'f1', conversation: bob }] });
    expect(await call('listFiles', { peer: 'sip:carol@lab.test' })).toEqual({ files: [] });
  });

  it('that an earlier run left are nothing new to read', () => {
    const { account, host } = setUp();
    account.events.emit('file', engineFile({ state: 'interrupted' }));
    expect(host.snapshot().conversations).toContainEqual(expect.objectContaining({ peer: bob, unread: 0 }));
  });

  it('pass on what the user does, and say when it cannot be done any more', async () => {
    const { account, call } = setUp();
    for (const name of ['acceptFile', 'declineFile', 'pauseFile', 'resumeFile', 'cancelFile']) {
      expect(await call(name, { fileId: 'f1' })).toEqual({});
    }
    await call('resumeFile', { fileId: 'f1', consent: true });
    expect(account.files.calls).toEqual([
      'accept f1',
      'decline f1',
      'pause f1',
      'resume f1 false',
      'cancel f1',
      'resume f1 true',
    ]);
    account.files.isPossible = false;
    expect(await call('acceptFile', { fileId: 'f1' })).toMatchObject({ error: { code: 'no-such-file' } });
  });

  it('are shown in their folder only once they are there', async () => {
    const { account, call, shown } = setUp();
    account.files.known = [engineFile({ state: 'transferring' })];
    expect(await call('showFile', { fileId: 'f1' })).toMatchObject({ error: { code: 'no-such-file' } });
    account.files.known = [engineFile({ state: 'done', path: '/received/plan.pdf' })];
    expect(await call('showFile', { fileId: 'f1' })).toEqual({});
    expect(shown).toEqual(['/received/plan.pdf']);
  });

  it('leaves no message behind for a text that became a file', async () => {
    const { account, call, bridge } = setUp();
    const events: string[] = [];
    bridge.subscribe(({ event }) => events.push(event));
    const file = { id: 'f1', peer: bob, direction: 'out', name: 'message.txt', type: 'text/plain', size: 4 } as const;
    account.sendMessage = () =>
      Promise.resolve({ outcome: 'offered', file: { ...file, state: 'preparing', transferred: 0, at: 1 } });
    const sending = call('sendMessage', { to: bob, text: 'long', way: 'msrp' });
    expect(await sending).toEqual({ outcome: 'offered', fileId: 'f1' });
    expect(events).toEqual([]);
  });
});

describe('what is kept', () => {
  function setUpKept() {
    const account = new FakeAccount();
    const clock = new FakeClock();
    account.keep(
      chatMessage({ id: 'old', direction: 'in', text: 'Ünder the harbour', at: clock.now(), state: 'received' }),
    );
    const ports = { clock, random: seededRandom(), log: silentLogger } as unknown as EnginePorts;
    const people = People.of(ports, account.store);
    const accepted: string[] = [];
    const profile = {
      store: account.store,
      people,
      acceptServerCertificate: (_: string, sha256: string) => Promise.resolve(void accepted.push(sha256)),
    };
    const host = createAccountHost([account], { clock, profile });
    const bridge = createBridge({ host });
    const call = async (name: string, input: object) => {
      const reply = await bridge.handle({ id: 1, call: name, input });
      return reply.ok ? reply.output : reply;
    };
    return { account, call, host, clock, people, accepted };
  }

  it('is found by words without regard to case and accents', async () => {
    const { call } = setUpKept();
    expect(await call('search', { text: 'under HARB' })).toMatchObject({
      hits: [{ message: { id: 'old', accountId: 'alice', conversation: bob }, matches: [{ start: 0, end: 5 }, {}] }],
    });
    expect(await call('search', { text: 'x'.repeat(201) })).toMatchObject({ error: { code: 'invalid-input' } });
  });

  it('goes by the rules of the user, at once', async () => {
    const { call, clock, host, account } = setUpKept();
    clock.advance(3 * 24 * 3_600_000);
    expect(await call('setRetention', { accountId: 'alice', peer: bob, keep: 7 })).toEqual({ removed: 0 });
    expect(host.snapshot().conversations.find(({ peer }) => peer === bob)).toMatchObject({ retention: 7 });
    expect(await call('setRetention', { accountId: 'alice', peer: bob, keep: null })).toEqual({ removed: 0 });
    expect(await call('setRetention', { accountId: 'alice', keep: 1 })).toEqual({ removed: 1 });
    expect(account.history.get('old')).toBeUndefined();
    expect(host.snapshot().accounts[0]?.retention).toBe(1);
    expect(await call('setRetention', { accountId: 'alice', keep: 0 })).toMatchObject({
      error: { code: 'invalid-input' },
    });
  });

  it('is tried, asked for again and removed only where it is', async () => {
    const { account, call, host } = setUpKept();
    const key = { accountId: 'alice', peer: bob };
    expect(await call('retryMessage', { ...key, messageId: 'gone' })).toMatchObject({
      error: { code: 'no-such-message' },
    });
    await call('retryMessage', { ...key, messageId: 'old' });
    expect(await call('askResend', { ...key, messageId: 'old' })).toEqual({ outcome: 'asked' });
    expect(account.asked).toEqual(['retry old', 'resend old']);
    await call('removeConversation', key);
    expect(host.snapshot().conversations.some(({ peer }) => peer === bob)).toBe(false);
  });

  it('has an address book that says what is wrong with an entry', async () => {
    const { call, host } = setUpKept();
    expect(await call('putContact', { contact: { name: 'Bob', addresses: ['nobody here'] } })).toMatchObject({
      outcome: 'refused',
      field: 'addresses',
    });
    expect(await call('putContact', { contact: { name: 'Bob', addresses: [bob], key: 'x' } })).toMatchObject({
      error: { code: 'invalid-input' },
    });
    await call('putContact', { contact: { name: 'Bob', addresses: [bob] } });
    expect(host.snapshot().contacts).toMatchObject([{ name: 'Bob', addresses: [bob] }]);
    const { cards } = (await call('exportContacts', {})) as { cards: string };
    expect(await call('importContacts', { cards })).toEqual({ added: 0, updated: 0, unchanged: 1, refused: [] });
    expect(await call('importContacts', { cards: 'nonsense' })).toMatchObject({ error: { code: 'invalid-input' } });
  });

  it('trusts no certificate that the user was not asked about', async () => {
    const { call, accepted } = setUpKept();
    const sha256 = Array.from({ length: 32 }, () => 'AB').join(':');
    expect(await call('acceptServerCertificate', { accountId: 'alice', sha256 })).toMatchObject({
      error: { code: 'invalid-input' },
    });
    expect(accepted).toEqual([]);
  });
});
