import { fromBase64, toBase64 } from '../../base/bytes.ts';
import type { CheckedInput, FileView, PickedFile, SendFileOutcome } from '../../contract/index.ts';
import type { Account } from '../../engine/account.ts';
import type { FileView as EngineFile } from '../../engine/files/file-view.ts';
import type { ConversationBook } from './conversation-book.ts';
import { BridgeFault, type HostEvent } from './host.ts';
import type { PickedFiles } from './picked-files.ts';

/** What the shell around the screens does about files. */
export interface FileShell {
  /** How the user chooses one: the shell's own dialog, or an upload by the page; files given in either way are in `picked`. */
  readonly choose: 'dialog' | 'upload' | 'none';
  readonly picked: PickedFiles;
  /** Opens the dialog; undefined when the user chose none. */
  readonly chooseFile?: () => Promise<PickedFile | undefined>;
  /** Where a new file of this name is to be saved; undefined when the user wants none. */
  readonly chooseSave?: (name: string) => Promise<string | undefined>;
  /** The path at which the page gets a file once, which goes with it; absent where files are saved by `chooseSave`. */
  readonly offerDownload?: (path: string, name: string) => string;
  /** Shows a file in its folder. */
  readonly showFile?: (path: string) => void;
}

/** What the screens need of an account of the engine. */
export type AccountWithFiles = Pick<Account, 'config' | 'events' | 'sendFile'> & {
  readonly files: Pick<Account['files'], 'views' | 'accept' | 'decline' | 'pause' | 'resume' | 'cancel'>;
};

export interface FileDeskParts {
  readonly account: AccountWithFiles;
  readonly book: ConversationBook;
  readonly shell: FileShell | undefined;
  readonly emit: (event: HostEvent) => void;
}

/** The files of one account on the screens' side. */
export class FileDesk {
  readonly #parts: FileDeskParts;
  readonly #unsubscribe: () => void;

  constructor(parts: FileDeskParts) {
    this.#parts = parts;
    for (const view of parts.account.files.views()) this.#note(view, false);
    const known = new Set(parts.account.files.views().map(({ id }) => id));
    this.#unsubscribe = parts.account.events.on('file', (view) => {
      // What an earlier run left is nothing new.
      const isNew = !known.has(view.id) && view.state === 'offered';
      known.add(view.id);
      this.#note(view, isNew);
      parts.emit({ event: 'file', file: this.#shown(view) });
    });
  }

  close(): void {
    this.#unsubscribe();
  }

  /** Oldest first. */
  list(peer: string): FileView[] {
    const files = this.#parts.account.files.views().filter((view) => view.peer === peer);
    return files.sort((one, other) => one.at - other.at).map((view) => this.#shown(view));
  }

  /** @throws BridgeFault `no-such-file` for a token that was used, or is none. */
  async send({ to, token, icon, policy, consent }: CheckedInput<'sendFile'>): Promise<SendFileOutcome> {
    const { account, shell } = this.#parts;
    const path = shell?.picked.take(token);
    if (path === undefined) throw new BridgeFault('no-such-file', 'This file has to be chosen again.');
    const outcome = await account.sendFile({
      to,
      path,
      ...(icon === undefined ? {} : { icon: fromBase64(icon) }),
      ...(policy === undefined ? {} : { policy }),
      ...(consent === undefined ? {} : { consent }),
    });
    return outcome.outcome === 'refused' ? outcome : { outcome: 'offered', file: this.#shown(outcome.file) };
  }

  accept(id: string): void {
    this.#require(this.#parts.account.files.accept(id));
  }

  decline(id: string): void {
    this.#require(this.#parts.account.files.decline(id));
  }

  pause(id: string): void {
    this.#require(this.#parts.account.files.pause(id));
  }

  resume(id: string, consent = false): void {
    this.#require(this.#parts.account.files.resume(id, consent));
  }

  cancel(id: string): void {
    this.#require(this.#parts.account.files.cancel(id));
  }

  show(id: string): void {
    const { account, shell } = this.#parts;
    const path = account.files.views().find((view) => view.id === id && view.state === 'done')?.path;
    if (path === undefined || shell?.showFile === undefined) this.#require(false);
    else shell.showFile(path);
  }

  #require(isDone: boolean): void {
    if (!isDone)
      throw new BridgeFault('no-such-file', 'This file is not in a state any more in which that can be done.');
  }

  #note({ peer, name, direction, at }: EngineFile, isNew: boolean): void {
    const { account, book } = this.#parts;
    book.putFile({ accountId: account.config.id, peer }, { name, direction, at }, isNew && direction === 'in');
  }

  #shown({ peer, path, icon, ...view }: EngineFile): FileView {
    return {
      ...view,
      accountId: this.#parts.account.config.id,
      conversation: peer,
      ...(icon === undefined ? {} : { icon: { contentType: icon.contentType, base64: toBase64(icon.bytes) } }),
      ...(path === undefined || view.direction === 'out' ? {} : { storedAt: path }),
    };
  }
}
