import { toHex, utf8 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import type { SecretBytes } from '../base/secret-bytes.ts';
import { bytesIdentity, identityText, sameIdentity, uriIdentity } from '../protocol/mikey/index.ts';
import type { KmsDirectory, KmsSubscriber, KmsUser, MikeyIdentity } from '../protocol/mikey/index.ts';

const pskOctets = 32;

/** Another KMS whose users and ours send to each other (RFC 6043 10). */
export interface KmsPeerConfig {
  /** Its IDRkms, compared octet by octet. */
  readonly identity: string;
  /** Hosts of the SIP URIs that it may resolve our tickets for; no subdomains, no wildcards. */
  readonly domains: readonly string[];
  /** Beginnings of the global numbers (tel URIs) that it may resolve our tickets for, for example `+1555`. */
  readonly numberPrefixes?: readonly string[];
  /** Name of the common key, as it stands in IDRpsk; different from every user's. */
  readonly pskId: string;
  /** 32 octets, common to both. */
  readonly psk: SecretBytes;
  /** Base URL where it takes our questions; without one it may ask us and we never ask it. */
  readonly url?: string;
  /** The DNS name that its certificate proves; the host of its identity where absent. */
  readonly certificateName?: string;
}

/** A peer, read and checked. */
export interface KmsPeer {
  readonly identity: MikeyIdentity;
  /** `identity` as text; what names the peer in logs and audit. */
  readonly name: string;
  readonly psk: SecretBytes;
  readonly pskId: MikeyIdentity;
  readonly url: string | undefined;
  readonly certificateName: string;
  /** May it speak for this user? */
  speaksFor(user: MikeyIdentity): boolean;
}

const wrongConfig = (problem: string, field: string, expected: string): ProtocolError =>
  new ProtocolError('local', problem, { field, expected });

/**
 * @param field of the list, for errors.
 * @throws ProtocolError `local` that names the entry which is wrong, never its key.
 */
export function readPeers(
  entries: readonly KmsPeerConfig[],
  ownIdentity: string,
  field = 'kms.config.peers',
): readonly KmsPeer[] {
  const seen = new Set<string>([ownIdentity]);
  return entries.map((entry, index) => {
    for (const value of [entry.identity, entry.pskId]) {
      if (seen.has(value)) throw wrongConfig('stands twice', `${field}.${index}`, 'an identity and a pskId of its own');
      seen.add(value);
    }
    return readPeer(entry, `${field}.${index}`);
  });
}

function readPeer(entry: KmsPeerConfig, field: string): KmsPeer {
  const identity = uriIdentity(entry.identity);
  if (!/^[!#-[\]-~]+$/.test(entry.identity)) throw wrongConfig('not a URI', `${field}.identity`, 'sip:kms.example.com');
  if (entry.pskId === '') throw wrongConfig('empty', `${field}.pskId`, 'the name of the key');
  if (entry.psk.length !== pskOctets) {
    throw wrongConfig(`${entry.psk.length} octets`, `${field}.psk`, `${pskOctets} octets`);
  }
  const domains = entry.domains.map((domain) => domain.toLowerCase());
  const prefixes = entry.numberPrefixes ?? [];
  if (domains.some((domain) => !isHostName(domain))) throw wrongConfig('no domain', `${field}.domains`, 'host names');
  if (prefixes.some((prefix) => !/^\+\d{1,15}$/.test(prefix))) {
    throw wrongConfig('no global number', `${field}.numberPrefixes`, '+ and digits');
  }
  if (domains.length + prefixes.length === 0) {
    throw wrongConfig('empty', `${field}.domains`, 'a domain or a number prefix');
  }
  const certificateName = (entry.certificateName ?? entry.identity.replace(/^sips?:/i, '')).toLowerCase();
  if (!isHostName(certificateName)) {
    throw wrongConfig('no DNS name', `${field}.certificateName`, 'the name in its certificate');
  }
  if (entry.url !== undefined && (!URL.canParse(entry.url) || new URL(entry.url).protocol !== 'https:')) {
    throw wrongConfig('no HTTPS URL', `${field}.url`, 'https://host');
  }
  return {
    identity,
    name: entry.identity,
    psk: entry.psk,
    pskId: bytesIdentity(utf8(entry.pskId)),
    url: entry.url,
    certificateName,
    speaksFor: (user) => isOf(user, domains, prefixes),
  };
}

const isHostName = (text: string): boolean => /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.test(text);

/** Canonical identities only (profile 6.4): `sip:user@host` or `tel:+digits`. */
function isOf(user: MikeyIdentity, domains: readonly string[], prefixes: readonly string[]): boolean {
  if (user.type !== 'uri') return false;
  const text = identityText(user);
  const [, number] = /^tel:(\+\d+)$/.exec(text) ?? [];
  if (number !== undefined) return prefixes.some((prefix) => number.startsWith(prefix));
  const [, host] = /^sip:[^@]+@([^@;?:]+)$/.exec(text) ?? [];
  return host !== undefined && domains.includes(host);
}

/**
 * The users of a KMS and its peers. A peer is found by the name of its key only: "IDRr cannot be used to look up the pre-shared key"
 * (RFC 6043 10). It asks for no tickets, and answers for the very user that it names.
 */
export function withPeers(users: KmsDirectory, peers: readonly KmsPeer[]): KmsDirectory {
  const keyOf = ({ type, data }: MikeyIdentity): string => `${type} ${toHex(data)}`;
  const subscribers = new Map(peers.map((peer) => [keyOf(peer.pskId), subscriberOf(peer)]));
  const isPeer = (subscriber: KmsUser): boolean => subscriber.peer !== undefined;
  return {
    async findSubscriber(pskId, claimed) {
      // Looked for in any case: the time of an answer tells nobody which names are those of peers' keys.
      const user = await users.findSubscriber(pskId, claimed);
      return (pskId === undefined ? undefined : subscribers.get(keyOf(pskId))) ?? user;
    },
    // A peer proves itself with the common key, never with a user's certificate.
    findCertified: (claimed, certificate) => users.findCertified?.(claimed, certificate),
    mayRequest: (subscriber, responders) => (isPeer(subscriber) ? false : users.mayRequest(subscriber, responders)),
    isHeard: (initiator) => users.isHeard?.(initiator) ?? true,
    findTicketMaker: (tpkId) => users.findTicketMaker?.(tpkId),
    findResponderTpk: (responder) => users.findResponderTpk?.(responder),
    responderFor: (subscriber, responders, asker) =>
      isPeer(subscriber)
        ? responders.find(
            (responder) => asker !== undefined && sameIdentity(responder, asker) && subscriber.owns(responder),
          )
        : users.responderFor(subscriber, responders, asker),
  };
}

function subscriberOf(peer: KmsPeer): KmsSubscriber {
  return {
    name: peer.name,
    peer: peer.name,
    psk: peer.psk,
    identity: peer.identity,
    owns: (identity) => peer.speaksFor(identity),
  };
}
