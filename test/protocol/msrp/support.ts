import { concatBytes, fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import type { Random } from '../../../src/base/random.ts';
import {
  decodeFrames,
  MsrpFramer,
  MsrpLink,
  MsrpSession,
  type MsrpFramerEvent,
  type MsrpFramerLimits,
  type MsrpSessionAction,
  type MsrpSessionEvent,
  type MsrpSessionOptions,
} from '../../../src/protocol/msrp/index.ts';

/** Lines of a frame, joined as on the wire. */
export function wire(...lines: readonly string[]): Uint8Array {
  return utf8(lines.map((line) => `${line}\r\n`).join(''));
}

/** Unlike each other, the same in every run. */
export function countingRandom(): Random {
  let count = 0;
  return {
    bytes: (length) => {
      const value = (++count).toString(16).padStart(2 * length, '0');
      return Uint8Array.from({ length }, (_, index) => Number.parseInt(value.slice(2 * index, 2 * index + 2), 16));
    },
  };
}

export interface ReadFrame {
  readonly head: Extract<MsrpFramerEvent, { type: 'head' }>['head'];
  readonly body: Uint8Array | undefined;
  readonly flag: string;
}

/** Feeds pieces to a framer and joins its events to frames. */
export function readFrames(pieces: readonly Uint8Array[], limits: Partial<MsrpFramerLimits> = {}): ReadFrame[] {
  const framer = new MsrpFramer(limits);
  const frames: ReadFrame[] = [];
  let head: ReadFrame['head'] | undefined;
  let body: number[] | undefined;
  for (const piece of pieces) {
    framer.push(piece);
    for (let event = framer.next(); event !== undefined; event = framer.next()) {
      if (event.type === 'head') {
        head = event.head;
        body = event.hasBody ? [] : undefined;
      } else if (event.type === 'body') body?.push(...event.bytes);
      else frames.push({ head: head!, body: body && Uint8Array.from(body), flag: event.flag });
    }
  }
  return frames;
}

export function cut(bytes: Uint8Array, positions: readonly number[]): Uint8Array[] {
  const cuts = [0, ...[...positions].sort((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
}

export const alicePath = 'msrps://alice.example:7394/alice-session;tcp';
export const bobPath = 'msrps://bob.example:8888/bob-session;tcp';

/** What a machine may be told here: octets of its connection are cut into frames by a link of its own. */
type MachineEvent = MsrpSessionEvent | { readonly type: 'received'; readonly bytes: Uint8Array };

/** A machine alone on its connection, with its output collected as text of frames, and everything it told. */
export class Machine {
  readonly session: MsrpSession;
  readonly link: MsrpLink<MsrpSession>;
  readonly actions: MsrpSessionAction[] = [];
  now = 1_000_000;

  constructor(options: Partial<MsrpSessionOptions> & { readonly framerLimits?: Partial<MsrpFramerLimits> } = {}) {
    const { framerLimits = {}, ...sessionOptions } = options;
    this.link = new MsrpLink({ framerLimits });
    this.session = new MsrpSession({
      localPath: alicePath,
      remotePath: [bobPath],
      role: 'active',
      isPeerAuthenticated: true,
      random: countingRandom(),
      ...sessionOptions,
    });
    this.link.add(this.session);
  }

  handle(event: MachineEvent): readonly MsrpSessionAction[] {
    const actions = event.type === 'received' ? this.#receive(event.bytes) : this.session.handle(event, this.now);
    this.actions.push(...actions);
    return actions;
  }

  #receive(bytes: Uint8Array): MsrpSessionAction[] {
    const actions: MsrpSessionAction[] = [];
    this.link.push(bytes);
    try {
      for (let delivery = this.link.next(); delivery !== undefined; delivery = this.link.next()) {
        actions.push(...this.session.handle({ type: 'frame', event: delivery.event }, this.now));
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      actions.push(...this.session.handle({ type: 'disconnected', error }, this.now));
    }
    return actions;
  }

  /** The next frame on the connection. */
  nextOutput(now = this.now): readonly Uint8Array[] | undefined {
    this.link.ready(this.session);
    return this.link.nextOutput(now)?.pieces;
  }

  receive(...lines: readonly string[]): readonly MsrpSessionAction[] {
    return this.handle({ type: 'received', bytes: wire(...lines) });
  }

  /** All output that the machine has ready. */
  output(): Uint8Array[] {
    const output: Uint8Array[] = [];
    for (let frame = this.nextOutput(); frame; frame = this.nextOutput()) {
      output.push(concatBytes(...frame));
    }
    return output;
  }

  frames(): ReturnType<typeof decodeFrames> {
    return this.output().flatMap((bytes) => decodeFrames(bytes));
  }

  /** Status codes of the responses that the machine has ready, and methods of its requests. */
  says(): (number | string)[] {
    return this.frames().map(({ head }) => (head.kind === 'response' ? head.status : head.method));
  }

  actionsOf<Type extends MsrpSessionAction['type']>(type: Type): Extract<MsrpSessionAction, { type: Type }>[] {
    return this.actions.filter((action): action is Extract<MsrpSessionAction, { type: Type }> => action.type === type);
  }

  texts(): string[] {
    return this.actionsOf('message').map(({ message }) => fromUtf8(message.bytes));
  }
}

/** Carries what each machine writes to the other until both are silent. */
export function exchange(a: Machine, b: Machine): void {
  for (let isBusy = true; isBusy;) {
    isBusy = false;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const frame = from.nextOutput();
      if (from.session.hasNews) from.handle({ type: 'tick' });
      if (frame === undefined) continue;
      isBusy = true;
      to.handle({ type: 'received', bytes: concatBytes(...frame) });
    }
  }
}
