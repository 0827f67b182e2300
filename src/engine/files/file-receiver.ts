import { describeError, ProtocolError } from '../../base/errors.ts';
import { refusal, type Refusal } from '../refusal.ts';
import type { EnginePorts } from '../ports.ts';
import type { EstablishedStream } from '../sessions/session-opener.ts';
import { FileSink } from './file-content.ts';
import type { FileTarget, FinishedFile } from './file-storage.ts';
import { endReasons, type FileTransfer } from './file-transfer.ts';
import { noteOf } from './file-rules.ts';
import { storageProblem } from './storage-problem.ts';
import { whyEnded } from './why-ended.ts';

/** The taking side of one session of a transfer: its sink, made before the stream, and what happens once it stands. */
export class FileReceiving {
  readonly #ports: EnginePorts;
  readonly #transfer: FileTransfer;
  readonly #target: FileTarget;
  readonly #start: number;
  readonly #self: string;
  #finished: FinishedFile | Error | undefined;
  #failure: unknown;

  /** @param self KMS user identity of the account. */
  constructor(ports: EnginePorts, self: string, transfer: FileTransfer, target: FileTarget) {
    this.#ports = ports;
    this.#self = self;
    this.#transfer = transfer;
    this.#target = target;
    this.#start = target.present;
  }

  sink(isWrapped: boolean): FileSink {
    return new FileSink(this.#target, {
      start: this.#start,
      isWrapped,
      onProgress: (octets) => this.#transfer.progress(octets),
      onFinished: (result) => {
        this.#finished = result;
        this.#tellFinished(result);
      },
      onFailed: (error) => {
        this.#failure ??= error;
      },
    });
  }

  /** Resolves when the session is over, with the transfer in a state that says how. Never rejects. */
  async run(stream: EstablishedStream): Promise<void> {
    const { channel, sip, level, evidence } = stream;
    const transfer = this.#transfer;
    if (transfer.isOver) {
      // Cancelled while the connection was made.
      channel.close();
      void sip.end(endReasons.cancelled);
      await this.#target.discard();
      return;
    }
    const ended = whyEnded(stream, this.#ports.clock);
    transfer.running = {
      stop: (reason) => {
        channel.close();
        void sip.end(reason);
      },
    };
    transfer.enter('transferring', {
      ...transfer.connected(this.#start, level, evidence),
      transferred: this.#start,
    });
    await this.#keepNote();
    await new Promise<void>((resolve) => channel.events.on('closed', () => resolve()));
    transfer.running = undefined;
    if (this.#finished === undefined) await this.#stopped(ended.reason);
    const { state } = transfer.view;
    void sip.end(state === 'done' ? endReasons.done : state === 'interrupted' ? endReasons.lost : undefined);
  }

  /** Without a note what came counts for this run alone; that is no reason to refuse it. */
  async #keepNote(): Promise<void> {
    const note = noteOf(this.#transfer, this.#self);
    if (note === undefined || this.#finished !== undefined) return;
    await this.#target.keepNote(note).catch((error: unknown) => {
      this.#ports.log.log('warn', 'file.no-note', { transfer: this.#transfer.id, reason: describeError(error) });
    });
  }

  #tellFinished(result: FinishedFile | Error): void {
    if (!(result instanceof Error)) {
      this.#transfer.enter('done', { ...result, transferred: this.#transfer.view.size ?? 0 });
      return;
    }
    this.#ports.log.log('warn', 'file.not-kept', { transfer: this.#transfer.id, reason: describeError(result) });
    this.#transfer.enter('failed', { problem: unkept(result) });
  }

  async #stopped(reason: () => Promise<string | undefined>): Promise<void> {
    const transfer = this.#transfer;
    const { intent } = transfer;
    transfer.intent = undefined;
    transfer.isPausedHere = intent === 'paused';
    if (intent === 'cancelled') {
      await this.#target.discard();
      transfer.enter('cancelled');
      return;
    }
    await this.#keepNote();
    await this.#target.suspend();
    if (intent === 'paused') {
      transfer.enter('paused');
      return;
    }
    if (this.#failure !== undefined) {
      this.#ports.log.log('warn', 'file.not-stored', { transfer: transfer.id, reason: describeError(this.#failure) });
      transfer.enter('interrupted', { problem: unkept(this.#failure) });
      return;
    }
    const why = await reason();
    if (why === endReasons.cancelled) {
      await this.#target.discard();
      const happened = 'The other side cancelled the file';
      transfer.enter('declined', { problem: refusal('peer-refused', 'file', { happened }) });
    } else if (why === endReasons.paused) transfer.enter('paused');
    else transfer.enter('interrupted', { problem: refusal('connection-lost', 'file') });
  }
}

function unkept(error: unknown): Refusal {
  if (error instanceof ProtocolError && error.kind === 'peer-misbehaved') {
    const happened = 'What arrived is not the file that was announced: it was changed on the way, and thrown away';
    return refusal('decryption-failed', 'file', { happened });
  }
  return storageProblem(error).refusal('file');
}
