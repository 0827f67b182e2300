import { randomId } from '../../base/random.ts';
import { secureRandom } from '../../crypto/random.ts';
import { headerList, parseNameAddress, parseSipUri } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { AnchoredMedia } from '../media/ims-alg.ts';
import type { Flow } from './flow.ts';
import { edgeUri } from './transports.ts';

/** One INVITE on its way to one contact, and the session that may come of it. */
export interface Dialog {
  /** Stands in our Record-Route, so that later requests of either side find their way. */
  readonly id: string;
  readonly caller: Flow;
  /** Changes while the INVITE is on its way and another flow of the device is tried. */
  callee: Flow;
  readonly media: AnchoredMedia | undefined;
}

/** The parameter of our Record-Route URI that names the dialog. */
const dialogParameter = 'lab-dialog';

/** All sessions that pass the edge; whoever removes a dialog frees its media. */
export class Dialogs {
  readonly #dialogs = new Map<string, Dialog>();

  add(caller: Flow, callee: Flow, media: AnchoredMedia | undefined): Dialog {
    const dialog = { id: randomId(secureRandom), caller, callee, media };
    this.#dialogs.set(dialog.id, dialog);
    return dialog;
  }

  get size(): number {
    return this.#dialogs.size;
  }

  /** The dialog that a request names in its Route. */
  find(request: SipMessage): Dialog | undefined {
    for (const route of headerList(request, 'Route')) {
      const uri = parseSipUri(parseNameAddress(route, 'sip.Route').uri, 'sip.Route');
      const dialog = this.#dialogs.get(uri.parameters.get(dialogParameter) ?? '');
      if (dialog !== undefined) return dialog;
    }
    return undefined;
  }

  remove(dialog: Dialog): void {
    this.#dialogs.delete(dialog.id);
    dialog.media?.close();
  }

  /** Which side of the session that flow belongs to: also another flow of the same device counts (RFC 5626). */
  sideOf({ caller, callee }: Dialog, flow: Flow): 'caller' | 'callee' | undefined {
    if (flow === caller) return 'caller';
    if (flow === callee) return 'callee';
    if (isSameDevice(flow, caller)) return 'caller';
    return isSameDevice(flow, callee) ? 'callee' : undefined;
  }

  flowClosed(flow: Flow): void {
    for (const dialog of this.#dialogs.values()) {
      if (dialog.caller === flow || dialog.callee === flow) this.remove(dialog);
    }
  }

  stop(): void {
    for (const dialog of this.#dialogs.values()) this.remove(dialog);
  }
}

function isSameDevice(a: Flow, b: Flow): boolean {
  return a.user !== undefined && a.user === b.user && a.instance !== undefined && a.instance === b.instance;
}

/**
 * Adds Record-Route so that both sides come back to us; two entries where their transports differ (RFC 5658),
 * the caller's below the callee's.
 */
export function addRecordRoute(request: SipMessage, dialog: Dialog): void {
  const routes = new Set([dialog.caller, dialog.callee].map((flow) => edgeUri(flow, ';lr')));
  for (const route of routes) request.headers.prepend('Record-Route', `<${route};${dialogParameter}=${dialog.id}>`);
}
