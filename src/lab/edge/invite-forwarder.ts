import { describeError, ProtocolError } from '../../base/errors.ts';
import { secureRandom } from '../../crypto/random.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { MediaParty } from '../media/ims-alg.ts';
import { addRecordRoute, type Dialog } from './dialogs.ts';
import type { Flow } from './flow.ts';
import type { Branch, Destination, Forwarding } from './forwarding.ts';
import type { ForwardingTools } from './forwarding-tools.ts';
import type { Binding, Target } from './bindings.ts';
import { firstOpen } from './destinations.ts';
import { readOfferBody, type OfferBody } from './offer-body.ts';
import { replyTo } from './replies.ts';
import { retarget } from './request-rules.ts';

/** INVITE to all contacts of a user, each with its own anchored media, and everything inside the sessions that come of it. */
export class InviteForwarder {
  readonly #tools: ForwardingTools;

  constructor(tools: ForwardingTools) {
    this.#tools = tools;
  }

  async forward(flow: Flow, request: SipMessage, prepared: SipMessage, targets: readonly Target[]): Promise<void> {
    this.#tools.capture(request);
    let offer: OfferBody | undefined;
    try {
      offer = readOfferBody(request, secureRandom);
    } catch (error) {
      flow.send(noMedia(request, describeError(error), error instanceof ProtocolError ? error.hint.sip : 500));
      return;
    }
    if (offer === undefined) {
      flow.send(noMedia(request, 'the lab needs an SDP offer in the INVITE'));
      return;
    }
    const dialogs = new Map<string, Dialog>();
    const forwarding = this.#tools.forwarding(flow, request, {
      branchEnded: (branch, response) => this.#branchEnded(dialogs.get(branch.id), response),
    });
    flow.send(replyTo(request, 100));
    try {
      for (const target of targets) await this.#addBranch(forwarding, flow, prepared, offer, target, dialogs);
    } catch (error) {
      for (const dialog of dialogs.values()) this.#tools.dialogs.remove(dialog);
      forwarding.abandon(noMedia(request, describeError(error), error instanceof ProtocolError ? error.hint.sip : 500));
      return;
    }
    forwarding.start();
  }

  forwardInDialog(flow: Flow, dialog: Dialog, request: SipMessage, prepared: SipMessage): void {
    const { faults, dialogs } = this.#tools;
    const side = dialogs.sideOf(dialog, flow) ?? 'callee';
    const target = side === 'caller' ? dialog.callee : dialog.caller;
    const hasOffer = isSdp(request) && (request.method === 'INVITE' || request.method === 'UPDATE');
    if (hasOffer && dialog.media !== undefined) prepared.body = dialog.media.reoffer(side, prepared.body);
    if (request.method === 'MESSAGE' && faults.dropMessages === true) return;
    const forwarding = this.#tools.forwarding(flow, request, {
      branchEnded: (_branch: Branch, response: SipMessage) => {
        if (request.method === 'BYE') dialogs.remove(dialog);
        if (hasOffer && isSuccess(response)) return withBody(response, (sdp) => dialog.media?.reanswer(side, sdp));
        return response;
      },
    });
    forwarding.add({ flow: target, request: prepared });
    forwarding.start();
  }

  async #addBranch(
    forwarding: Forwarding,
    caller: Flow,
    prepared: SipMessage,
    offer: OfferBody,
    [first, ...others]: Target,
    dialogs: Map<string, Dialog>,
  ): Promise<void> {
    const tools = this.#tools;
    const media = await tools.alg.anchor(offer.sdp, partyOf(caller), partyOf(first.flow));
    const dialog = tools.dialogs.add(caller, first.flow, media);
    const aimed = ({ flow, contact }: Binding): Destination => {
      const copy = retarget(prepared, contact.uri);
      offer.putInto(copy, media.offer);
      dialog.callee = flow;
      addRecordRoute(copy, dialog);
      return { flow, request: copy };
    };
    const next = (): Destination | undefined => {
      const binding = firstOpen(others);
      return binding && aimed(binding);
    };
    dialogs.set(forwarding.add(aimed(first), next).id, dialog);
  }

  #branchEnded(dialog: Dialog | undefined, response: SipMessage): SipMessage {
    if (dialog === undefined) return response;
    if (!isSuccess(response)) {
      this.#tools.dialogs.remove(dialog);
      return response;
    }
    return withBody(response, (sdp) => dialog.media?.answer(sdp));
  }
}

/** What the gateway must know of one side: its name for the record, and whether it does e2ae (profile 1.8). */
function partyOf(flow: Flow): MediaParty {
  return { name: flow.user?.name ?? 'unknown', msrpTls: flow.agreement?.msrpTls ?? false };
}

/**
 * An answer that cannot be read goes on without body: the caller must not see indications that the edge did not check,
 * and ends the session by itself.
 */
function withBody(response: SipMessage, rewrite: (sdp: Uint8Array) => Uint8Array | undefined): SipMessage {
  try {
    response.body = (isSdp(response) ? rewrite(response.body) : undefined) ?? new Uint8Array();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    response.body = new Uint8Array();
  }
  if (response.body.length === 0) response.headers.remove('Content-Type');
  return response;
}

function noMedia(request: SipMessage, why: string, status = 488): SipMessage {
  const reply = replyTo(request, status);
  reply.headers.add('Warning', `399 lab.test "${why.replace(/["\\]/g, "'").replace(/[^\x20-\x7e]/g, ' ')}"`);
  return reply;
}

function isSdp(message: SipMessage): boolean {
  return message.body.length > 0 && /^application\/sdp\b/i.test(message.headers.get('Content-Type') ?? '');
}

function isSuccess(response: SipMessage): boolean {
  return response.status !== undefined && response.status >= 200 && response.status < 300;
}
