import { formatParameters, headerList } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { LabUser } from '../users.ts';
import type { Binding } from './bindings.ts';
import type { Flow } from './flow.ts';
import { replyTo } from './replies.ts';
import { addSecurityServer } from './security-agreement.ts';
import { edgeUri } from './transports.ts';

export interface RegisteredReplyOptions {
  readonly flow: Flow;
  readonly request: SipMessage;
  readonly user: LabUser;
  /** All contacts of the user. */
  readonly bindings: readonly Binding[];
  /** Set when this REGISTER bound a flow of a device (RFC 5626). */
  readonly flowTimerSeconds: number | undefined;
}

/** True when the UE says that it knows that extension. */
export function supports(request: SipMessage, tag: string): boolean {
  return headerList(request, 'Supported')
    .concat(headerList(request, 'Require'))
    .some((supported) => supported.toLowerCase() === tag);
}

/** The 200 of a REGISTER: every contact with what is left of it, and the way for later requests. */
export function registeredReply(options: RegisteredReplyOptions): SipMessage {
  const { flow, request, user, bindings, flowTimerSeconds } = options;
  const reply = replyTo(request, 200);
  for (const binding of bindings) reply.headers.add('Contact', contactOf(binding, supports(request, 'gruu')));
  // RFC 3327 5.3: the registrar shows the path that it stored.
  if (supports(request, 'path')) {
    for (const path of request.headers.getAll('Path')) reply.headers.add('Path', path);
  }
  reply.headers.add('Service-Route', `<${edgeUri(flow, ';lr')}>`);
  for (const identity of user.identities) reply.headers.add('P-Associated-URI', `<${identity}>`);
  if (flowTimerSeconds !== undefined) {
    // RFC 5626 6: "the registrar MUST include the 'outbound' option-tag in a Require header field".
    reply.headers.add('Require', 'outbound').add('Flow-Timer', String(flowTimerSeconds));
  }
  if (flow.agreement !== undefined) addSecurityServer(reply, flow.agreement.server);
  return reply;
}

function contactOf({ contact, instance, regId, gruu, expiresAt }: Binding, withGruu: boolean): string {
  const seconds = Math.max(0, Math.round((expiresAt - Date.now()) / 1000));
  const kept = new Map<string, string | undefined>();
  if (regId !== undefined) kept.set('reg-id', String(regId));
  const device = instance === undefined ? '' : `;+sip.instance="${instance}"`;
  const address = withGruu && gruu !== undefined ? `;pub-gruu="${gruu}"` : '';
  return `<${contact.uri}>${device}${formatParameters(kept)}${address};expires=${seconds}`;
}

/** What the edge writes into a REGISTER on its way to the registrar, so that requests come back over this flow (RFC 3327, RFC 5626 5.1). */
export function addPath(request: SipMessage, flow: Flow): void {
  request.headers.prepend('Path', `<${edgeUri(flow, ';lr;ob', flow.id)}>`);
}
