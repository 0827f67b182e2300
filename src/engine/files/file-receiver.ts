import { describeError, ProtocolError } from '../../base/errors.ts';
import { refusal } from '../refusal.ts';
import type { EnginePorts } from '../ports.ts';
import type { EstablishedStream } from '../sessions/session-opener.ts';
import { FileSink } from './file-content.ts';
import type { FileTarget, FinishedFile } from './file-storage.ts';
import { endReasons, type FileTransfer } from './file-transfer.ts';
import { whyEnded } from './why-ended.ts';

/** The taking side of one session of a transfer: its sink, made before the stream, and what happens once it stands. */
export class FileReceiving {
  readonly #ports: EnginePorts;
  readonly #transfer: FileTransfer;
  readonly #target: FileTarget;
  readonly #start: number;
  #finished: FinishedFile | Error | undefined;

  constructor(ports: EnginePorts, transfer: FileTransfer, target: FileTarget) {
    this.#ports = ports;
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
    });
  }

  /** Resolves when the session is over, with the transfer in a state that says how. Never rejects. */
  async run(stream: EstablishedStream): Promise<void> {
    const { channel, sip, level, evidence } = stream;
    const transfer = this.#transfer;
    const ended = whyEnded(stream, this.#ports.clock);
    transfer.running = {
      stop: (reason) => {
        channel.close();
        void sip.end(reason);
      },
    };
    transfer.enter('transferring', { level, evidence, transferred: this.#start });
    await new Promise<void>((resolve) => channel.events.on('closed', () => resolve()));
    transfer.running = undefined;
    if (this.#finished === undefined) await this.#stopped(ended.reason);
    const { state } = transfer.view;
    void sip.end(state === 'done' ? endReasons.done : state === 'interrupted' ? endReasons.lost : undefined);
  }

  #tellFinished(result: FinishedFile | Error): void {
    if (!(result instanceof Error)) {
      const { path, hashChecked } = result;
      this.#transfer.enter('done', { path, hashChecked, transferred: this.#transfer.view.size ?? 0 });
      return;
    }
    this.#ports.log.log('warn', 'file.not-kept', { transfer: this.#transfer.id, reason: describeError(result) });
    this.#transfer.enter('failed', { problem: unkept(result) });
  }

  async #stopped(reason: () => Promise<string | undefined>): Promise<void> {
    const transfer = this.#transfer;
    const { intent } = transfer;
    transfer.intent = undefined;
    if (intent === 'cancelled') {
      await this.#target.discard();
      transfer.enter('cancelled');
      return;
    }
    await this.#target.suspend();
    if (intent === 'paused') {
      transfer.enter('paused');
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

function unkept(error: Error): ReturnType<typeof refusal> {
  if (error instanceof ProtocolError && error.kind === 'peer-misbehaved') {
    const happened = 'What arrived is not the file that was announced: it was changed on the way, and thrown away';
    return refusal('decryption-failed', 'file', { happened });
  }
  return refusal('connection-lost', 'file', { happened: `The file could not be stored (${describeError(error)})` });
}
