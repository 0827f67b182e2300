import { concatBytes, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { decodeCpim, encodeCpim } from '../../protocol/cpim/index.ts';
import type { OutgoingContent } from '../msrp/msrp-channel.ts';
import type { MessageSink } from '../msrp/sink-writer.ts';
import type { FileSource, FileTarget, FinishedFile } from './file-storage.ts';

export interface FileContentOptions {
  readonly source: FileSource;
  /** First octet to send, counted from 0. */
  readonly start: number;
  /** The far end's `a=accept-types`. */
  readonly peerAcceptTypes: readonly string[];
  /** The far end's `a=max-size`. */
  readonly peerMaxSize: number | undefined;
  readonly from: string;
  readonly to: string;
  readonly at: number;
  readonly messageId: string;
  /** Called with the octets of the file that were handed to the connection so far. */
  readonly onProgress: (octets: number) => void;
}

/**
 * The one MSRP message that carries a file or its rest (RFC 5547 section 8.7): plain where the peer takes its type, else
 * wrapped in CPIM. @throws ProtocolError `peer-incompatible` when the peer takes neither, or nothing of that length.
 */
export function fileContent(options: FileContentOptions): OutgoingContent {
  const { source, start, peerAcceptTypes, peerMaxSize, messageId, onProgress } = options;
  const octets = source.size - start;
  const disposition = { name: 'Content-Disposition', value: `attachment; filename="${asciiName(source.name)}"` };
  const common = { messageId, successReport: true, other: [disposition] };
  if (accepts(peerAcceptTypes, source.type)) {
    requireFits(octets, peerMaxSize);
    const stream = counted(source.read(start), onProgress);
    return { ...common, contentType: source.type, stream, octets };
  }
  if (!accepts(peerAcceptTypes, 'message/cpim')) {
    throw new ProtocolError('peer-incompatible', 'takes neither the type of the file nor message/cpim', {
      field: 'sdp.accept-types',
      expected: source.type,
    });
  }
  const head = cpimHead(options);
  requireFits(head.length + octets, peerMaxSize);
  const stream = after(head, counted(source.read(start), onProgress));
  return { ...common, contentType: 'message/cpim', stream, octets: head.length + octets };
}

/** RFC 5547 section 8.7: senders MUST NOT exceed the `max-size` of the far end. */
function requireFits(octets: number, most: number | undefined): void {
  if (most !== undefined && octets > most) {
    throw new ProtocolError('peer-incompatible', 'larger than the far end takes', {
      field: 'sdp.max-size',
      expected: `at most ${most} octets`,
    });
  }
}

function accepts(acceptTypes: readonly string[], type: string): boolean {
  const [main = ''] = type.toLowerCase().split('/');
  return acceptTypes.some((entry) => ['*', '*/*', `${main}/*`, type.toLowerCase()].includes(entry.toLowerCase()));
}

function cpimHead({ source, from, to, at, messageId }: FileContentOptions): Uint8Array {
  return encodeCpim({
    from: { uri: from },
    to: [{ uri: to }],
    dateTime: at,
    messageId,
    dispositions: [],
    otherHeaders: [],
    content: { headers: [{ name: 'Content-Type', value: source.type }], body: new Uint8Array() },
  });
}

async function* counted(
  pieces: AsyncIterable<Uint8Array>,
  onProgress: (octets: number) => void,
): AsyncGenerator<Uint8Array> {
  let octets = 0;
  for await (const piece of pieces) {
    yield piece;
    // Asked for the next one: this one was taken.
    octets += piece.length;
    onProgress(octets);
  }
}

async function* after(head: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head;
  yield* rest;
}

/** A header field holds one line of ASCII; the exact name stands in the SDP. */
function asciiName(name: string): string {
  return name.replace(/[^\x20-\x7e]|["\\]/g, '_');
}

const maxWrapperOctets = 16 * 1024;

/** Octets of a file as they come, its CPIM wrapper taken off, into its target. */
export class FileSink implements MessageSink {
  readonly #target: FileTarget;
  /** Where in the file the message begins. */
  readonly #start: number;
  readonly #onProgress: (octets: number) => void;
  readonly #onFinished: (result: FinishedFile | Error) => void;
  readonly #onFailed: (error: unknown) => void;
  /** Octets of the message so far, wrapper included. */
  #received = 0;
  /** What came of the wrapper so far; undefined when there is none, or it is over. */
  #wrapper: Uint8Array | undefined;
  #written = 0;

  constructor(
    target: FileTarget,
    options: {
      readonly start: number;
      readonly isWrapped: boolean;
      readonly onProgress: (octets: number) => void;
      readonly onFinished: (result: FinishedFile | Error) => void;
      /** It could not be stored, or is not what was announced; nothing more is taken. */
      readonly onFailed: (error: unknown) => void;
    },
  ) {
    this.#target = target;
    this.#start = options.start;
    this.#wrapper = options.isWrapped ? new Uint8Array() : undefined;
    this.#onProgress = options.onProgress;
    this.#onFinished = options.onFinished;
    this.#onFailed = options.onFailed;
  }

  write(position: number, bytes: Uint8Array): void | Promise<void> {
    try {
      const stored = this.#take(position, bytes);
      if (stored instanceof Promise) {
        return stored.catch((error: unknown) => {
          this.#onFailed(error);
          throw error;
        });
      }
    } catch (error) {
      this.#onFailed(error);
      throw error;
    }
  }

  #take(position: number, bytes: Uint8Array): void | Promise<void> {
    // A file is hashed as it comes: octets that come again or too early cannot be put right.
    if (position !== this.#received) {
      throw new ProtocolError('peer-misbehaved', `octet ${position} after ${this.#received}`, {
        field: 'file.position',
        expected: 'octets in order',
      });
    }
    this.#received += bytes.length;
    if (this.#wrapper === undefined) return this.#store(bytes);
    this.#wrapper = concatBytes(this.#wrapper, bytes);
    const end = wrapperEnd(this.#wrapper);
    if (end === undefined) {
      if (this.#wrapper.length > maxWrapperOctets) throw notAWrapper('an end within 16 KiB');
      return;
    }
    const whole = this.#wrapper;
    this.#wrapper = undefined;
    decodeCpim(whole.subarray(0, end));
    return this.#store(whole.subarray(end));
  }

  async finish(): Promise<void> {
    try {
      if (this.#wrapper !== undefined) throw notAWrapper('a whole wrapper');
      this.#onFinished(await this.#target.finish());
    } catch (error) {
      this.#onFinished(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  abort(): void {
    // What is there stays for another attempt; the transfer decides what becomes of it.
  }

  #store(bytes: Uint8Array): void | Promise<void> {
    if (bytes.length === 0) return;
    const position = this.#start + this.#written;
    this.#written += bytes.length;
    const stored = this.#target.write(position, bytes);
    const end = position + bytes.length;
    if (stored instanceof Promise) return stored.then(() => this.#onProgress(end));
    this.#onProgress(end);
  }
}

/** The headers of the message, an empty line, the headers of the content, an empty line (RFC 3862 section 2). */
function wrapperEnd(bytes: Uint8Array): number | undefined {
  const first = emptyLine(bytes, 0);
  return first === undefined ? undefined : emptyLine(bytes, first);
}

const blank = utf8('\r\n\r\n');

function emptyLine(bytes: Uint8Array, from: number): number | undefined {
  for (let at = bytes.indexOf(blank[0] ?? 0, from); at >= 0; at = bytes.indexOf(blank[0] ?? 0, at + 1)) {
    if (blank.every((octet, index) => bytes[at + index] === octet)) return at + blank.length;
  }
  return undefined;
}

function notAWrapper(expected: string): ProtocolError {
  return new ProtocolError('malformed', 'no CPIM around the file', { field: 'file.wrapper', expected });
}
