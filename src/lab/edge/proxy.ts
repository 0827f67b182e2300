import { ProtocolError } from '../../base/errors.ts';
import { parseSipUri } from '../../protocol/sip/headers.ts';
import { SipMessage } from '../../protocol/sip/message.ts';
import type { LabUser } from '../users.ts';
import { Dialogs, type Dialog } from './dialogs.ts';
import type { Flow } from './flow.ts';
import { Forwarding, topBranch, type BranchIndex, type ForwardingHandlers } from './forwarding.ts';
import type { ForwardingTools, ProxyOptions, RequestHandler, RequestService } from './forwarding-tools.ts';
import { InviteForwarder } from './invite-forwarder.ts';
import { MessageForwarder } from './message-forwarder.ts';
import type { Binding } from './bindings.ts';
import { badExtension, securityRequired } from './registrar.ts';
import { replyTo } from './replies.ts';
import { assertIdentity, isFrom, prepareForForwarding, separateVias } from './request-rules.ts';
import { unsupportedOptions, verifies } from './security-agreement.ts';
import { edgeVia } from './transports.ts';

/** Routes requests between registered UEs and keeps their transactions (RFC 3261 16). */
export class Proxy {
  readonly #options: ProxyOptions;
  readonly #dialogs = new Dialogs();
  readonly #branches: BranchIndex = new Map();
  /** Requests that are being forwarded, by flow and branch of the sender. */
  readonly #transactions = new Map<string, Forwarding>();
  /** Every running forwarding with its sender; those that the edge started itself have none. */
  readonly #running = new Map<Forwarding, Flow | undefined>();
  readonly #invites: InviteForwarder;
  readonly #messages: MessageForwarder;
  readonly #services: readonly RequestService[];

  constructor(options: ProxyOptions) {
    this.#options = options;
    const tools: ForwardingTools = {
      ...options,
      dialogs: this.#dialogs,
      forwarding: (upstream, request, handlers) => this.#forwarding(upstream, request, handlers),
      submit: (message, user) => this.#messages.submit(message, user),
    };
    this.#invites = new InviteForwarder(tools);
    this.#messages = new MessageForwarder(tools);
    this.#services = options.services(tools);
  }

  /** Sessions that hold media or may still do so. */
  get openDialogs(): number {
    return this.#dialogs.size;
  }

  request(flow: Flow, request: SipMessage): void {
    const { method } = request;
    if (method === 'ACK') this.#acknowledge(flow, request);
    else if (method === 'CANCEL') this.#cancel(flow, request);
    else if (!this.#transactions.has(transactionKey(flow, request))) {
      try {
        this.#route(flow, request);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        flow.send(replyTo(request, error.hint.sip ?? 400));
      }
    }
  }

  response(flow: Flow, response: SipMessage): void {
    separateVias(response);
    const found = this.#branches.get(topBranch(response) ?? '');
    // A response counts only when it comes from where the request went. CANCEL shares its branch with the INVITE.
    if (found?.branch.flow !== flow || !sameMethod(response, found.forwarding.request)) return;
    if (found.forwarding.request.method === 'INVITE' && response.body.length > 0) this.#options.capture(response);
    assertIdentity(response, flow.user);
    found.forwarding.receive(found.branch, response);
  }

  flowClosed(flow: Flow): void {
    for (const [forwarding, upstream] of this.#running) {
      if (upstream === flow) forwarding.cancel();
      forwarding.flowClosed(flow);
    }
    this.#dialogs.flowClosed(flow);
    for (const service of this.#services) service.flowClosed?.(flow);
  }

  /** Sends what waited for the user of a flow that has just registered. */
  deliverStored(binding: Binding): void {
    this.#messages.deliverStored(binding);
  }

  stop(): void {
    for (const service of this.#services) service.stop?.();
    this.#messages.stop();
    this.#dialogs.stop();
    this.#transactions.clear();
    this.#running.clear();
    this.#branches.clear();
  }

  #route(flow: Flow, request: SipMessage): void {
    const dialog = this.#dialogs.find(request);
    const isParticipant = dialog !== undefined && this.#dialogs.sideOf(dialog, flow) !== undefined;
    const { registrar } = this.#options;
    const registered = registrar.bindings.onFlow(flow)?.user;
    const sender = registered ?? (isParticipant ? undefined : registrar.senderBeside(flow, request));
    if (sender instanceof SipMessage) {
      flow.send(sender);
      return;
    }
    request.headers.remove('Proxy-Authorization');
    const handle = isParticipant ? undefined : this.#claimed(request);
    const isInService = handle !== undefined && /;\s*tag\s*=/i.test(request.headers.get('To') ?? '');
    const refusal = this.#refusal(flow, request, sender, isParticipant || isInService);
    if (refusal !== undefined) flow.send(refusal);
    else if (handle !== undefined && sender !== undefined) handle(flow, sender, request);
    else if (dialog !== undefined && isParticipant) this.#inDialog(flow, dialog, request);
    else if (sender !== undefined) this.#initial(flow, sender, request);
  }

  #claimed(request: SipMessage): RequestHandler | undefined {
    for (const service of this.#services) {
      const handler = service.claim(request);
      if (handler !== undefined) return handler;
    }
    return undefined;
  }

  #refusal(
    flow: Flow,
    request: SipMessage,
    sender: LabUser | undefined,
    isParticipant: boolean,
  ): SipMessage | undefined {
    if (sender === undefined && !isParticipant) return replyTo(request, 403, 'Not Registered');
    if (flow.agreement !== undefined && !verifies(request, flow.agreement)) return securityRequired(request, flow);
    const unsupported = unsupportedOptions(request);
    if (unsupported.length > 0) return badExtension(request, unsupported);
    if (isParticipant) return undefined;
    // A session that is over, or is somebody else's.
    if (/;\s*tag\s*=/i.test(request.headers.get('To') ?? '')) return replyTo(request, 481);
    return sender !== undefined && isFrom(request, sender)
      ? undefined
      : replyTo(request, 403, 'From Is Not Your Identity');
  }

  #initial(flow: Flow, sender: LabUser, request: SipMessage): void {
    const uri = request.start.kind === 'request' ? request.start.uri : '';
    const found = this.#options.registrar.find(uri);
    if (found === undefined) {
      const isPing = request.method === 'OPTIONS' && parseSipUri(uri).user === undefined;
      flow.send(replyTo(request, isPing ? 200 : 404));
      return;
    }
    const prepared = this.#prepare(request, sender);
    const targets = this.#options.registrar.bindings.targets(found.user, found.instance);
    // A call to oneself rings the other devices only.
    const others =
      request.method === 'INVITE'
        ? targets.filter((target) => !target.some((binding) => binding.flow === flow))
        : targets;
    if (request.method === 'MESSAGE') this.#messages.forward(flow, request, prepared, found, targets);
    else if (others.length === 0) flow.send(replyTo(request, 480));
    else if (request.method === 'INVITE') void this.#invites.forward(flow, request, prepared, others);
    else this.#messages.forwardPlain(flow, request, prepared, others);
  }

  #inDialog(flow: Flow, dialog: Dialog, request: SipMessage): void {
    const prepared = this.#prepare(request, flow.user);
    this.#invites.forwardInDialog(flow, dialog, request, prepared);
  }

  #prepare(request: SipMessage, sender: LabUser | undefined): SipMessage {
    return prepareForForwarding(request, {
      asserted: sender,
      isOurRoute: (uri) => {
        const { host } = parseSipUri(uri, 'sip.Route');
        return host === '127.0.0.1' || host === this.#options.domain;
      },
    });
  }

  /** RFC 3261 17.1.1.3: an ACK to a failure ends here; one to a 200 has its own branch and follows the route. */
  #acknowledge(flow: Flow, request: SipMessage): void {
    const dialog = this.#dialogs.find(request);
    const side = dialog && this.#dialogs.sideOf(dialog, flow);
    if (dialog === undefined || side === undefined) return;
    const target = side === 'caller' ? dialog.callee : dialog.caller;
    const prepared = this.#prepare(request, flow.user);
    prepared.headers.prepend('Via', edgeVia(target, `${topBranch(request) ?? 'z9hG4bK'}-ack`));
    target.send(prepared);
  }

  #cancel(flow: Flow, request: SipMessage): void {
    const forwarding = this.#transactions.get(transactionKey(flow, request));
    flow.send(replyTo(request, forwarding === undefined ? 481 : 200));
    forwarding?.cancel();
  }

  #forwarding(upstream: Flow | undefined, request: SipMessage, handlers: Partial<ForwardingHandlers> = {}): Forwarding {
    const { timers, times } = this.#options;
    const forwarding = new Forwarding(request, this.#branches, timers, times, {
      ...handlers,
      respond: handlers.respond ?? ((response) => upstream?.send(response)),
      finished: (response) => {
        this.#running.delete(forwarding);
        if (upstream !== undefined) this.#transactions.delete(transactionKey(upstream, request));
        handlers.finished?.(response);
      },
    });
    this.#running.set(forwarding, upstream);
    if (upstream !== undefined) this.#transactions.set(transactionKey(upstream, request), forwarding);
    return forwarding;
  }
}

/** INVITE and its CANCEL share the branch, so the method is no part of it. */
function transactionKey(flow: Flow, request: SipMessage): string {
  return `${flow.id} ${topBranch(request) ?? ''}`;
}

function sameMethod(response: SipMessage, request: SipMessage): boolean {
  return response.headers.get('CSeq')?.trim().split(/\s+/)[1] === request.method;
}
