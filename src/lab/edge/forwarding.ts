import { randomId } from '../../base/random.ts';
import { secureRandom } from '../../crypto/random.ts';
import { parseVia } from '../../protocol/sip/headers.ts';
import { SipMessage } from '../../protocol/sip/message.ts';
import type { Timers } from '../timers.ts';
import { bestResponse, isSuccess } from './best-response.ts';
import type { Flow } from './flow.ts';
import { replyTo } from './replies.ts';
import { edgeVia } from './transports.ts';

/** Times of a transaction in milliseconds; tests shorten them. */
export interface ForwardingTimes {
  /** A branch that says nothing at all counts as 408 after this. */
  readonly silentBranch: number;
  /** An INVITE that rings is given up after this (timer C). */
  readonly ringing: number;
  /** How long an answered INVITE is remembered for repeated 200s (64 * T1). */
  readonly answered: number;
}

export const defaultForwardingTimes: ForwardingTimes = { silentBranch: 10_000, ringing: 120_000, answered: 32_000 };

/** Where a copy of a request goes. */
export interface Destination {
  readonly flow: Flow;
  readonly request: SipMessage;
}

/** One copy of a request on its way to one device. */
export interface Branch {
  /** Stays the same when the request goes to another flow of the device. */
  readonly id: string;
  /** Branch parameter of our Via, another one for each flow. */
  via: string;
  flow: Flow;
  /** As sent, with our Via on top. */
  request: SipMessage;
  /** The device's next flow; undefined when all were tried. */
  readonly next: () => Destination | undefined;
  state: 'calling' | 'proceeding' | 'completed';
  final: SipMessage | undefined;
  cancelled: boolean;
  stopTimer: () => void;
}

export interface ForwardingHandlers {
  /** Passes a response upstream; our Via is already off. */
  respond(response: SipMessage): void;
  /** May rewrite the final response of a branch before it is looked at. Also called with made-up 408 and 480. */
  branchEnded?(branch: Branch, response: SipMessage): SipMessage;
  /** Nothing more will come. */
  finished?(response: SipMessage | undefined): void;
}

/** Finds the branch that a response belongs to. */
export type BranchIndex = Map<string, { readonly forwarding: Forwarding; readonly branch: Branch }>;

/** Larger than this no datagram can be (with room for our headers). */
const maxUdpBodyOctets = 60_000;

/**
 * One request forwarded to one or more devices at once, and the choice of the response (RFC 3261 16.7). A device whose flow
 * fails gets it over its next one (RFC 5626 7). Retransmission is the flow's own affair.
 */
export class Forwarding {
  readonly request: SipMessage;
  readonly #index: BranchIndex;
  readonly #timers: Timers;
  readonly #times: ForwardingTimes;
  readonly #handlers: ForwardingHandlers;
  readonly #branches: Branch[] = [];
  #started = false;
  #cancelled = false;
  #answered = false;
  #finished = false;

  constructor(
    request: SipMessage,
    index: BranchIndex,
    timers: Timers,
    times: ForwardingTimes,
    handlers: ForwardingHandlers,
  ) {
    this.request = request;
    this.#index = index;
    this.#timers = timers;
    this.#times = times;
    this.#handlers = handlers;
  }

  get isCancelled(): boolean {
    return this.#cancelled;
  }

  /** Another copy, which this call completes with a Via. All branches are added before `start`. */
  add({ flow, request }: Destination, next: () => Destination | undefined = () => undefined): Branch {
    const via = newVia();
    const branch: Branch = {
      id: via,
      via,
      flow,
      request,
      next,
      state: 'calling',
      final: undefined,
      cancelled: false,
      stopTimer: () => undefined,
    };
    this.#branches.push(branch);
    this.#aim(branch);
    return branch;
  }

  /** Sends what was added; from now on the request ends when its last branch does. */
  start(): void {
    this.#started = true;
    for (const branch of this.#branches) {
      if (this.#cancelled) this.#settle(branch, this.#madeUp(487));
      else this.#send(branch);
    }
    this.#finishWhenDone();
  }

  /** Ends before anything was sent. */
  abandon(response: SipMessage): void {
    this.#finished = true;
    for (const branch of this.#branches) {
      branch.stopTimer();
      this.#index.delete(branch.via);
    }
    this.#handlers.respond(response);
    this.#handlers.finished?.(response);
  }

  receive(branch: Branch, response: SipMessage): void {
    const status = response.status ?? 0;
    response.headers.shift('Via');
    if (branch.state === 'completed') {
      // A repeated 200 to INVITE belongs to the callee's core: the caller must see it and repeat its ACK (RFC 3261 13.3.1.4).
      if (this.request.method === 'INVITE' && isSuccess(status) && isSuccess(branch.final?.status ?? 0)) {
        this.#handlers.respond(replaceBody(response, branch.final));
      } else this.#acknowledgeFailure(branch, response);
      return;
    }
    if (status < 200) this.#provisional(branch, response);
    else {
      this.#acknowledgeFailure(branch, response);
      if (status !== 430 || !this.#tryNextFlow(branch)) this.#settle(branch, response);
    }
  }

  /** The caller gave up, or is gone. */
  cancel(): void {
    if (this.#cancelled || this.#finished) return;
    this.#cancelled = true;
    for (const branch of this.#branches) this.#cancelBranch(branch);
  }

  /** A connection is gone: its branches will not answer. */
  flowClosed(flow: Flow): void {
    for (const branch of this.#branches) if (branch.flow === flow) this.#giveUp(branch, 480);
  }

  #aim(branch: Branch): void {
    branch.request.headers.prepend('Via', edgeVia(branch.flow, branch.via));
    branch.state = 'calling';
    branch.stopTimer();
    branch.stopTimer = this.#timers.after(this.#times.silentBranch, () => this.#giveUp(branch, 408));
    this.#index.set(branch.via, { forwarding: this, branch });
  }

  #send(branch: Branch): void {
    if (!branch.flow.isOpen) this.#giveUp(branch, 480);
    else if (branch.flow.transport === 'udp' && branch.request.body.length > maxUdpBodyOctets) {
      this.#settle(branch, this.#madeUp(513));
    } else branch.flow.send(branch.request);
  }

  /** RFC 5626 7: what failed with the flow may still reach the device over another one. */
  #tryNextFlow(branch: Branch): boolean {
    if (this.#cancelled || branch.cancelled || this.#answered || !this.#started) return false;
    const destination = branch.next();
    if (destination === undefined) return false;
    this.#index.delete(branch.via);
    branch.via = newVia();
    branch.flow = destination.flow;
    branch.request = destination.request;
    this.#aim(branch);
    this.#send(branch);
    return true;
  }

  #provisional(branch: Branch, response: SipMessage): void {
    branch.state = 'proceeding';
    branch.stopTimer();
    const limit = this.request.method === 'INVITE' ? this.#times.ringing : this.#times.silentBranch;
    branch.stopTimer = this.#timers.after(limit, () => {
      if (this.request.method === 'INVITE') this.#sendCancel(branch);
      this.#giveUp(branch, 408);
    });
    if (branch.cancelled) this.#sendCancel(branch);
    else if (response.status !== 100 && !this.#answered) this.#handlers.respond(withoutBody(response));
  }

  #giveUp(branch: Branch, status: number): void {
    if (branch.state === 'completed' || this.#tryNextFlow(branch)) return;
    this.#settle(branch, this.#madeUp(status));
  }

  #settle(branch: Branch, response: SipMessage): void {
    branch.state = 'completed';
    branch.stopTimer();
    const final = this.#handlers.branchEnded?.(branch, response) ?? response;
    branch.final = final;
    const status = final.status ?? 0;
    const keep = this.request.method === 'INVITE' ? this.#times.answered : 0;
    this.#timers.after(keep, () => this.#index.delete(branch.via));
    if (isSuccess(status) && (!this.#answered || this.request.method === 'INVITE')) {
      this.#answered = true;
      this.#handlers.respond(final);
    }
    if (this.#answered || status >= 600) for (const other of this.#branches) this.#cancelBranch(other);
    this.#finishWhenDone();
  }

  #finishWhenDone(): void {
    if (this.#finished || !this.#started || !this.#branches.every((branch) => branch.state === 'completed')) return;
    this.#finished = true;
    const best = bestResponse(this.#branches.flatMap(({ final }) => (final === undefined ? [] : [final])));
    if (!this.#answered && best !== undefined) this.#handlers.respond(best);
    this.#handlers.finished?.(best);
  }

  #cancelBranch(branch: Branch): void {
    if (branch.cancelled || branch.state === 'completed' || this.request.method !== 'INVITE') return;
    branch.cancelled = true;
    // RFC 3261 9.1: before a provisional response there may be nothing to cancel yet; it is sent when one comes.
    if (branch.state === 'proceeding') this.#sendCancel(branch);
    else if (!this.#started) return;
    branch.stopTimer();
    branch.stopTimer = this.#timers.after(this.#times.silentBranch, () => this.#giveUp(branch, 487));
  }

  #sendCancel(branch: Branch): void {
    branch.flow.send(hopByHop(branch.request, 'CANCEL'));
  }

  #acknowledgeFailure(branch: Branch, response: SipMessage): void {
    if (this.request.method !== 'INVITE' || isSuccess(response.status ?? 0)) return;
    const ack = hopByHop(branch.request, 'ACK');
    ack.headers.set('To', response.headers.get('To') ?? '');
    branch.flow.send(ack);
  }

  #madeUp(status: number): SipMessage {
    return replyTo(this.request, status);
  }
}

function newVia(): string {
  return `z9hG4bK${randomId(secureRandom)}`;
}

/** ACK to a failure and CANCEL: same top Via, Request-URI, From, To, Call-ID, CSeq number (RFC 3261 9.1, 17.1.1.3). */
function hopByHop(request: SipMessage, method: 'ACK' | 'CANCEL'): SipMessage {
  const uri = request.start.kind === 'request' ? request.start.uri : '';
  const message = SipMessage.request(method, uri);
  message.headers.add('Via', request.headers.get('Via') ?? '').add('Max-Forwards', '70');
  for (const name of ['Route', 'From', 'To', 'Call-ID']) {
    for (const value of request.headers.getAll(name)) message.headers.add(name, value);
  }
  const number = (request.headers.get('CSeq') ?? '').split(/\s/, 1)[0] ?? '';
  message.headers.add('CSeq', `${number} ${method}`);
  return message;
}

/** The session is described by the final response alone; an early description would pass the gateway by. */
function withoutBody(response: SipMessage): SipMessage {
  response.body = new Uint8Array();
  response.headers.remove('Content-Type');
  return response;
}

function replaceBody(response: SipMessage, first: SipMessage | undefined): SipMessage {
  response.body = first?.body ?? response.body;
  return response;
}

/** The branch parameter of the top Via. */
export function topBranch(message: SipMessage): string | undefined {
  const via = message.headers.get('Via');
  return via === undefined ? undefined : parseVia(via.split(',', 1)[0] ?? '').parameters.get('branch');
}
