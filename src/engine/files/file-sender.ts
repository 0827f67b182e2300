import { describeError, ProtocolError } from '../../base/errors.ts';
import { randomId } from '../../base/random.ts';
import { refusal, type Refusal } from '../refusal.ts';
import type { EnginePorts } from '../ports.ts';
import type { EstablishedStream } from '../sessions/session-opener.ts';
import type { MsrpOutcome } from '../../protocol/msrp/index.ts';
import { fileContent } from './file-content.ts';
import { endReasons, type FileTransfer, type RunningTransfer } from './file-transfer.ts';
import type { OfferedFile } from './offered-files.ts';
import { whyEnded } from './why-ended.ts';

export interface FileSendingOptions {
  readonly ports: EnginePorts;
  readonly transfer: FileTransfer;
  readonly stream: EstablishedStream;
  readonly offered: OfferedFile;
  /** First octet, counted from 0. */
  readonly start: number;
  readonly self: string;
}

/** Sends a file, or its rest, over a stream that stands; ends the session. Never rejects: the transfer tells how it ended. */
export async function sendFile({ ports, transfer, stream, offered, start, self }: FileSendingOptions): Promise<void> {
  const { channel, sip, level, evidence, peerAcceptTypes, peerMaxSize } = stream;
  const messageId = randomId(ports.random, 12);
  const ended = whyEnded(stream, ports.clock);
  const running: RunningTransfer = {
    stop: (reason) => {
      // RFC 5547 section 8.4: the message is aborted with "#", then the session ends.
      channel.cancel(messageId);
      channel.close();
      void sip.end(reason);
    },
  };
  transfer.running = running;
  // The other side may have begun anew meanwhile: then that session says what becomes of the file.
  const counts = (): boolean => transfer.running === running;
  transfer.enter('transferring', { ...transfer.connected(start, level, evidence), transferred: start });
  try {
    const outcome = await channel.send(
      fileContent({
        source: offered.source,
        start,
        peerAcceptTypes,
        peerMaxSize,
        from: self,
        to: offered.peer,
        at: ports.clock.now(),
        messageId,
        onProgress: (octets) => transfer.progress(start + octets),
      }),
    );
    if (outcome.outcome === 'failed') await tellFailure(transfer, outcome, ended.reason, counts);
    else transfer.enter('done', { transferred: offered.source.size });
  } catch (error) {
    const field = error instanceof ProtocolError ? error.field : '';
    ports.log.log('warn', 'file.not-sent', { transfer: transfer.id, field, reason: describeError(error) });
    if (counts()) transfer.enter('failed', { problem: unsendable(error) });
  } finally {
    if (counts()) transfer.running = undefined;
    channel.close();
    const { state } = transfer.view;
    void sip.end(state === 'done' ? endReasons.done : state === 'interrupted' ? endReasons.lost : undefined);
  }
}

async function tellFailure(
  transfer: FileTransfer,
  { status, failure }: Extract<MsrpOutcome, { outcome: 'failed' }>,
  reason: () => Promise<string | undefined>,
  counts: () => boolean,
): Promise<void> {
  if (!counts()) return;
  const { intent } = transfer;
  if (intent !== undefined) {
    transfer.intent = undefined;
    transfer.isPausedHere = intent === 'paused';
    transfer.enter(intent);
    return;
  }
  if (failure === 'cancelled') {
    transfer.enter('failed', {
      problem: refusal('connection-lost', 'file', { happened: 'The file could not be read to its end' }),
    });
    return;
  }
  if ((failure === 'rejected' || failure === 'not-accepted') && status !== 481) {
    const happened =
      status === 413
        ? 'The other side stopped the file: it has no room, does not want it, or found it changed on the way'
        : `The other side refused the file (MSRP status ${status})`;
    // Once what stopped it is gone, the receiver may fetch the rest.
    const state = status === 413 ? 'interrupted' : 'failed';
    transfer.enter(state, { problem: refusal('peer-refused', 'file', { happened }) });
    return;
  }
  const why = await reason();
  if (!counts()) return;
  if (why === endReasons.paused) transfer.enter('paused');
  else if (why === endReasons.cancelled) {
    transfer.enter('declined', {
      problem: refusal('peer-refused', 'file', { happened: 'The other side cancelled the file' }),
    });
  } else transfer.enter('interrupted', { problem: refusal('connection-lost', 'file') });
}

function unsendable(error: unknown): Refusal {
  if (error instanceof ProtocolError && error.field.startsWith('file.')) {
    return refusal('connection-lost', 'file', { happened: `The file cannot be sent (${error.message})` });
  }
  if (error instanceof ProtocolError && error.field === 'sdp.max-size') {
    return refusal('too-large', 'file', { happened: `The other side takes files of ${error.expected ?? 'less'} only` });
  }
  return refusal('peer-incompatible', 'file', { happened: 'The other side takes no files of this type' });
}
