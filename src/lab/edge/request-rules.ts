import { ProtocolError } from '../../base/errors.ts';
import { formatVia, headerList, parseNameAddress, parseVia, splitHeaderList } from '../../protocol/sip/headers.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { LabUser } from '../users.ts';
import type { Flow } from './flow.ts';
import { stripSecurityHeaders } from './security-agreement.ts';

/** Gives every Via its own field and notes in the top one where the request came from (RFC 3261 18.2.1, RFC 3581 4). */
export function noteSource(request: SipMessage, flow: Flow): void {
  const [top, ...others] = headerList(request, 'Via');
  const via = parseVia(top ?? '');
  const parameters = new Map(via.parameters);
  if (parameters.has('rport')) parameters.set('rport', String(flow.remote.port));
  if (parameters.has('rport') || via.host !== flow.remote.host) parameters.set('received', flow.remote.host);
  replaceVias(request, [formatVia({ ...via, parameters }), ...others]);
}

/** Gives every Via of a response its own field, so that ours can be taken off. */
export function separateVias(response: SipMessage): void {
  replaceVias(response, response.headers.getAll('Via').flatMap(splitHeaderList));
}

function replaceVias(message: SipMessage, vias: readonly string[]): void {
  message.headers.remove('Via');
  for (const via of vias.toReversed()) message.headers.prepend('Via', via);
}

/** True when the From header names that user (RFC 3261 19.1.4, as far as the lab's addresses go). */
export function isFrom(request: SipMessage, user: LabUser): boolean {
  const from = parseNameAddress(request.headers.get('From') ?? '', 'sip.From').uri;
  return owns(user, from);
}

export interface PreparationOptions {
  /** Who really sends (RFC 3325): goes into P-Asserted-Identity, whatever the UE claimed. */
  readonly asserted: LabUser | undefined;
  /** True for a Route URI that means the edge. */
  readonly isOurRoute: (uri: string) => boolean;
}

/**
 * A copy of the request, ready to go on: one hop less, without what ends at the edge.
 * @throws ProtocolError hint sip 483 when no hop is left.
 */
export function prepareForForwarding(request: SipMessage, { asserted, isOurRoute }: PreparationOptions): SipMessage {
  const copy = request.clone();
  const hops = Number(copy.headers.get('Max-Forwards') ?? '70');
  if (!Number.isInteger(hops) || hops < 1) {
    const expected = 'a number above 0';
    throw new ProtocolError('peer-misbehaved', 'no hop left', {
      field: 'sip.Max-Forwards',
      expected,
      hint: { sip: 483 },
    });
  }
  copy.headers.set('Max-Forwards', String(hops - 1));
  stripSecurityHeaders(copy);
  const routes = headerList(copy, 'Route').filter((route) => !isOurRoute(parseNameAddress(route, 'sip.Route').uri));
  copy.headers.remove('Route');
  for (const route of routes) copy.headers.add('Route', route);
  assertIdentity(copy, asserted);
  return copy;
}

/** Replaces what a UE wrote about its own identity by one that is its own: the one it prefers, if it is (RFC 3325 6). */
export function assertIdentity(message: SipMessage, user: LabUser | undefined): void {
  const [preferred] = headerList(message, 'P-Preferred-Identity');
  message.headers.remove('P-Asserted-Identity').remove('P-Preferred-Identity');
  if (user === undefined) return;
  const wanted = preferred === undefined ? undefined : parseNameAddress(preferred, 'sip.P-Preferred-Identity').uri;
  const identity = wanted === undefined ? undefined : ownIdentity(user, wanted);
  message.headers.add('P-Asserted-Identity', `<${identity ?? user.identity}>`);
}

function ownIdentity(user: LabUser, uri: string): string | undefined {
  const wanted = tryKmsUserIdentity(uri)?.toLowerCase();
  return user.identities.find((identity) => identity.toLowerCase() === wanted);
}

/** True when that address is one of the user's. */
export function owns(user: LabUser, uri: string): boolean {
  return ownIdentity(user, uri) !== undefined;
}

/** A copy for one contact: its address becomes the Request-URI, the called identity stays readable (RFC 7315 4.2). */
export function retarget(request: SipMessage, contactUri: string): SipMessage {
  const copy = request.clone();
  if (request.start.kind !== 'request') return copy;
  copy.start = { ...request.start, uri: contactUri };
  copy.headers.set('P-Called-Party-ID', `<${request.start.uri}>`);
  return copy;
}
