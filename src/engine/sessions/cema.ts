import { parseMsrpUri, sameMsrpSession } from '../../protocol/msrp/index.ts';
import type { MsrpMedia } from '../../protocol/sdp/index.ts';
import type { MsrpSockets, SocketAddress } from '../ports.ts';

/** What the far end's SDP says about where its connection goes (RFC 6714). */
export interface FarAddresses {
  /** `a=msrp-cema` is there. */
  readonly cema: boolean;
  /** The c= and m= lines name the same place as a URI of the path; if not, a middlebox is assumed in between. */
  readonly matches: boolean;
  /** More than one URI: the far end uses a relay. */
  readonly relayed: boolean;
}

/** Where a connection goes: what the c= and m= lines name, or the first URI of the path (RFC 4975 section 5.4). */
export type ConnectTo = 'signalled' | 'path';

/**
 * RFC 6714 section 4.2, the offerer with an answer at hand. `offer-again`: the connection cannot be anchored, so another
 * offer without `msrp-cema` lets a middlebox take its part in the MSRP.
 * @param own `offered`: our offer carried `msrp-cema`; `relayed`: we use a relay.
 */
export function afterAnswer(
  answer: FarAddresses,
  own: { readonly offered: boolean; readonly relayed: boolean; readonly role: 'active' | 'passive' },
): ConnectTo | 'offer-again' {
  if (!own.offered) return 'path';
  const isAnchoredBlindly = !answer.cema && !answer.matches;
  if (isAnchoredBlindly && (own.role === 'passive' || own.relayed || answer.relayed)) return 'offer-again';
  // "it is assumed that there is no Middlebox ... it does not need to send a new SDP offer".
  if (answer.relayed && !answer.cema) return 'path';
  return own.relayed ? 'path' : 'signalled';
}

export type OfferVerdict =
  | { readonly verdict: 'reject' }
  | { readonly verdict: 'answer'; readonly cema: boolean; readonly connectTo: ConnectTo };

/** RFC 6714 section 4.3, the answerer. @param own `relayed`: we use a relay, and so cannot be asked to be active. */
export function forOffer(
  offer: FarAddresses & { readonly setup: MsrpMedia['setup'] },
  own: { readonly relayed: boolean },
): OfferVerdict {
  if (!offer.cema && !offer.matches) return { verdict: 'reject' };
  const bothRelayed = offer.relayed && own.relayed;
  const offererConnects = offer.setup === undefined || offer.setup === 'active';
  const cannotBePassive = own.relayed && offer.setup === 'passive';
  if (bothRelayed || (offer.relayed && offererConnects) || cannotBePassive) {
    return { verdict: 'answer', cema: false, connectTo: 'path' };
  }
  return { verdict: 'answer', cema: true, connectTo: offer.cema ? 'signalled' : 'path' };
}

/** Reads the addresses of an SDP; names are looked up where that decides (RFC 6714 section 4.4). */
export async function farAddresses(media: MsrpMedia, sockets: Pick<MsrpSockets, 'lookUp'>): Promise<FarAddresses> {
  return { cema: media.cema, matches: await matchesPath(media, sockets), relayed: media.path.length > 1 };
}

/** Host and port of the nearest URI of a path. */
export function addressOfPath(media: Pick<MsrpMedia, 'path'>): SocketAddress {
  const { host, port = 2855 } = parseMsrpUri(media.path[0] ?? '', 'path');
  return { host: host.replace(/^\[|\]$/g, ''), port };
}

/** Whether the c= and m= lines name a URI of the path letter for letter, so that nothing need be looked up. */
export function matchesAsWritten({ path, address, port }: MsrpMedia): boolean {
  return withPort(path, port).some((host) => sameHost(host, bracketed(address)));
}

async function matchesPath(media: MsrpMedia, { lookUp }: Pick<MsrpSockets, 'lookUp'>): Promise<boolean> {
  if (matchesAsWritten(media)) return true;
  if (lookUp === undefined) return false;
  for (const host of withPort(media.path, media.port)) {
    const [named, signalled] = await Promise.all([found(host, lookUp), found(bracketed(media.address), lookUp)]);
    if (named.some((one) => signalled.some((other) => sameHost(one, other)))) return true;
  }
  return false;
}

function withPort(path: readonly string[], port: number): string[] {
  const uris = path.map((uri) => parseMsrpUri(uri, 'path'));
  return uris.filter((uri) => (uri.port ?? 2855) === port).map(({ host }) => host);
}

async function found(host: string, lookUp: NonNullable<MsrpSockets['lookUp']>): Promise<readonly string[]> {
  if (/^\[|^[\d.]+$/.test(host)) return [host];
  return (await lookUp(host)).map(bracketed);
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

/** One spelling per address: RFC 5952 by way of the comparison of MSRP URIs. */
function sameHost(a: string, b: string): boolean {
  const uri = (host: string) => ({ scheme: 'msrp', host, transport: 'tcp', parameters: [] }) as const;
  return sameMsrpSession(uri(a), uri(b));
}
