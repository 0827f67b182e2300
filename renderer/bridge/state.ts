import { createStore, type StoreApi } from 'zustand/vanilla';
import type {
  AccountView,
  ContactView,
  ConversationView,
  EventEnvelope,
  FileAbilities,
  FileView,
  MessageView,
  PresenceViewOfPeer,
  Snapshot,
  StorageView,
} from '../../src/contract/index.ts';
import type { BridgeClient } from './client.ts';

/** Identifies a conversation: account and address of the peer. */
export interface ConversationKey {
  readonly accountId: string;
  readonly peer: string;
}

export function keyText({ accountId, peer }: ConversationKey): string {
  return JSON.stringify([accountId, peer]);
}

export interface MessageList {
  /** Oldest first. */
  readonly messages: readonly MessageView[];
  /** There are older ones. */
  readonly hasMore: boolean;
  /** There are newer ones: the list is a piece of the past. */
  readonly hasNewer: boolean;
}

/** What the engine told so far. */
export interface RemoteState {
  /** `connecting` until the first snapshot; `down` while the engine cannot be reached. */
  readonly link: 'connecting' | 'up' | 'down';
  readonly accounts: readonly AccountView[];
  readonly conversations: readonly ConversationView[];
  /** Only of conversations that were opened, by `keyText`. */
  readonly messages: Readonly<Record<string, MessageList>>;
  /** Files of the same conversations, oldest first. */
  readonly transfers: Readonly<Record<string, readonly FileView[]>>;
  /** What the shell can do about files. */
  readonly files: FileAbilities;
  /** The address book, by name. */
  readonly contacts: readonly ContactView[];
  readonly presence: readonly PresenceViewOfPeer[];
  /** How messages are kept; undefined before the first snapshot. */
  readonly storage: StorageView | undefined;
}

type PageStart = { readonly before?: string; readonly after?: string; readonly around?: string };

const pageSize = 60;
const emptyList: MessageList = { messages: [], hasMore: false, hasNewer: false };

/** Mirrors the engine's state: a snapshot, then numbered events; a gap or a new connection starts over. */
export class Remote {
  readonly store: StoreApi<RemoteState> = createStore(() => ({
    link: 'connecting',
    accounts: [],
    conversations: [],
    messages: {},
    transfers: {},
    files: { choose: 'none', show: false },
    storage: undefined,
    contacts: [],
    presence: [],
  }));
  readonly client: BridgeClient;
  readonly #messageListeners = new Set<(message: MessageView) => void>();
  readonly #fileListeners = new Set<(file: FileView) => void>();
  /** Version of the last event that is contained in the store; undefined while a snapshot is on its way. */
  #version: number | undefined;
  #early: EventEnvelope[] = [];

  constructor(client: BridgeClient) {
    this.client = client;
    client.onEvent((event) => this.#receive(event));
    client.onLink((isUp) => {
      if (isUp) void this.#synchronise();
      else if (this.store.getState().link === 'up') this.store.setState({ link: 'down' });
    });
  }

  /** Hears every message that comes in or changes while connected. */
  onMessage(listener: (message: MessageView) => void): () => void {
    this.#messageListeners.add(listener);
    return () => this.#messageListeners.delete(listener);
  }

  /** Hears every file that is offered or changes while connected. */
  onFile(listener: (file: FileView) => void): () => void {
    this.#fileListeners.add(listener);
    return () => this.#fileListeners.delete(listener);
  }

  /** Loads the newest messages and the files of a conversation, unless they are there. */
  async openConversation(key: ConversationKey): Promise<void> {
    if (this.store.getState().messages[keyText(key)] !== undefined) return;
    // Files first: a conversation counts as opened once its messages are there.
    await this.#loadFiles(key);
    await this.#load(key);
  }

  /** Loads what was said around a message, however long ago, in place of what was loaded. */
  async openAt(key: ConversationKey, messageId: string): Promise<void> {
    const list = this.store.getState().messages[keyText(key)];
    if (list?.messages.some(({ id }) => id === messageId) === true) return;
    if (list === undefined) await this.#loadFiles(key);
    this.#setList(key, await this.#fetchPage(key, { around: messageId }));
  }

  /** Back to the newest messages, from a piece of the past. */
  async openNewest(key: ConversationKey): Promise<void> {
    this.#setList(key, await this.#fetchPage(key));
  }

  async loadEarlier(key: ConversationKey): Promise<void> {
    const oldest = this.store.getState().messages[keyText(key)]?.messages[0];
    await this.#load(key, oldest?.id);
  }

  async loadNewer(key: ConversationKey): Promise<void> {
    const newest = this.store.getState().messages[keyText(key)]?.messages.at(-1);
    if (newest === undefined) return;
    const page = await this.#fetchPage(key, { after: newest.id });
    this.store.setState((state) => {
      const list = state.messages[keyText(key)];
      if (list?.messages.at(-1)?.id !== newest.id) return {};
      const messages = [...list.messages, ...page.messages];
      return { messages: { ...state.messages, [keyText(key)]: { ...list, messages, hasNewer: page.hasNewer } } };
    });
  }

  #setList(key: ConversationKey, list: MessageList): void {
    this.store.setState(({ messages }) => ({ messages: { ...messages, [keyText(key)]: list } }));
  }

  async #loadFiles(key: ConversationKey): Promise<void> {
    const { files } = await this.#fetchFiles(key);
    this.store.setState(({ transfers }) => {
      // What events brought meanwhile is newer.
      const known = transfers[keyText(key)] ?? [];
      const merged = files.map((file) => known.find(({ id }) => id === file.id) ?? file);
      const added = known.filter(({ id }) => !files.some((file) => file.id === id));
      return { transfers: { ...transfers, [keyText(key)]: [...merged, ...added] } };
    });
  }

  #fetchFiles({ accountId, peer }: ConversationKey): Promise<{ readonly files: readonly FileView[] }> {
    return this.client.call('listFiles', { accountId, peer });
  }

  async #load(key: ConversationKey, before?: string): Promise<void> {
    const page = await this.#fetchPage(key, before === undefined ? {} : { before });
    this.store.setState(({ messages }) => {
      // What events brought meanwhile is newer than the page.
      const list = messages[keyText(key)] ?? emptyList;
      const known = list.messages;
      const knownIds = new Set(known.map((message) => message.id));
      const added = page.messages.filter((message) => !knownIds.has(message.id));
      const merged = { ...list, messages: [...added, ...known], hasMore: page.hasMore };
      return { messages: { ...messages, [keyText(key)]: merged } };
    });
  }

  /** Replaces what was known of a conversation, which stays on the screen until then. */
  async #reload(key: ConversationKey): Promise<void> {
    const [page, { files }] = await Promise.all([this.#fetchPage(key), this.#fetchFiles(key)]);
    this.store.setState(({ messages, transfers }) => ({
      messages: { ...messages, [keyText(key)]: page },
      transfers: { ...transfers, [keyText(key)]: files },
    }));
  }

  #fetchPage({ accountId, peer }: ConversationKey, from: PageStart = {}): Promise<MessageList> {
    return this.client.call('listMessages', { accountId, peer, limit: pageSize, ...from });
  }

  async #synchronise(): Promise<void> {
    this.#version = undefined;
    this.#early = [];
    let snapshot: Snapshot;
    try {
      snapshot = await this.client.call('getSnapshot', {});
    } catch {
      // The link broke again; its return starts this over.
      return;
    }
    const { accounts, conversations, files, storage, contacts, presence } = snapshot;
    this.#version = snapshot.version;
    const lists = this.store.getState().messages;
    const opened = conversations.filter((conversation) => lists[keyText(conversation)] !== undefined);
    const messages = Object.fromEntries(opened.map((key) => [keyText(key), lists[keyText(key)] ?? emptyList]));
    // What is known of conversations that are not open is asked for again when they are.
    const known = this.store.getState().transfers;
    const transfers = Object.fromEntries(opened.map((key) => [keyText(key), known[keyText(key)] ?? []]));
    this.store.setState({
      link: 'up',
      accounts,
      conversations,
      messages,
      transfers,
      files,
      storage,
      contacts,
      presence,
    });
    const early = this.#early;
    this.#early = [];
    for (const event of early) this.#receive(event);
    await Promise.allSettled(opened.map(({ accountId, peer }) => this.#reload({ accountId, peer })));
  }

  #receive(event: EventEnvelope): void {
    if (this.#version === undefined) {
      this.#early.push(event);
      return;
    }
    const { version } = event.payload;
    if (version <= this.#version) return;
    if (version > this.#version + 1) {
      void this.#synchronise();
      return;
    }
    this.#version = version;
    this.store.setState((state) => applyEvent(state, event));
    // Behind a lock there may be other accounts and conversations.
    if (event.event === 'storage') void this.#synchronise();
    if (event.event === 'conversationReset' && !event.payload.isGone) {
      const { accountId, conversation: peer } = event.payload;
      const isOpened = this.store.getState().messages[keyText({ accountId, peer })] !== undefined;
      if (isOpened) void this.#reload({ accountId, peer }).catch(() => undefined);
    }
    if (event.event === 'message') {
      for (const listener of this.#messageListeners) listener(event.payload.message);
    }
    if (event.event === 'file') {
      for (const listener of this.#fileListeners) listener(event.payload.file);
    }
  }
}

/** The state after an event. */
export function applyEvent(state: RemoteState, event: EventEnvelope): Partial<RemoteState> {
  switch (event.event) {
    case 'account': {
      const { account } = event.payload;
      return { accounts: replaced(state.accounts, account, (known) => known.id === account.id) };
    }
    case 'conversation': {
      const { conversation } = event.payload;
      const isSame = (known: ConversationView) => keyText(known) === keyText(conversation);
      return { conversations: replaced(state.conversations, conversation, isSame) };
    }
    case 'message': {
      const { message } = event.payload;
      const key = { accountId: message.accountId, peer: message.conversation };
      const isSame = (known: MessageView) => known.id === message.id;
      const isPast = state.messages[keyText(key)]?.hasNewer === true;
      // A new one does not follow upon a piece of the past.
      return changeMessages(state, key, (messages) =>
        isPast && !messages.some(isSame) ? messages : replaced(messages, message, isSame),
      );
    }
    case 'contacts':
      return { contacts: event.payload.contacts };
    case 'presence': {
      const { presence } = event.payload;
      const isSame = (known: PresenceViewOfPeer) =>
        known.accountId === presence.accountId && known.peer === presence.peer;
      return { presence: replaced(state.presence, presence, isSame) };
    }
    case 'storage':
      return { storage: event.payload.storage };
    case 'conversationReset': {
      const { accountId, conversation: peer, isGone } = event.payload;
      if (!isGone) return {};
      const text = keyText({ accountId, peer });
      const without = <T>(all: Readonly<Record<string, T>>) =>
        Object.fromEntries(Object.entries(all).filter(([key]) => key !== text));
      return {
        conversations: state.conversations.filter((known) => keyText(known) !== text),
        messages: without(state.messages),
        transfers: without(state.transfers),
      };
    }
    case 'file': {
      const { file } = event.payload;
      const text = keyText({ accountId: file.accountId, peer: file.conversation });
      const files = replaced(state.transfers[text] ?? [], file, ({ id }) => id === file.id);
      return { transfers: { ...state.transfers, [text]: files } };
    }
    case 'messageRemoved': {
      const { accountId, conversation, messageId } = event.payload;
      const key = { accountId, peer: conversation };
      return changeMessages(state, key, (messages) => messages.filter((known) => known.id !== messageId));
    }
  }
}

function changeMessages(
  { messages }: RemoteState,
  key: ConversationKey,
  change: (messages: readonly MessageView[]) => readonly MessageView[],
): Partial<RemoteState> {
  const list = messages[keyText(key)];
  if (list === undefined) return {};
  return { messages: { ...messages, [keyText(key)]: { ...list, messages: change(list.messages) } } };
}

function replaced<T>(items: readonly T[], item: T, isSame: (known: T) => boolean): readonly T[] {
  return items.some(isSame) ? items.map((known) => (isSame(known) ? item : known)) : [...items, item];
}
