import { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { readHost } from './host.ts';
import { defaultSipPorts, isTlsProtocol, type SipProtocol } from './sip-protocol.ts';
import { orderSrv, type SrvEntry } from './srv-order.ts';

/** One NAPTR record (RFC 3403 4.1). */
export interface NaptrEntry {
  readonly order: number;
  readonly preference: number;
  readonly flags: string;
  readonly service: string;
  readonly regexp: string;
  readonly replacement: string;
}

/** What is asked of DNS. Each resolves to nothing where the name has no such record, and rejects where that cannot be told. */
export interface SipDns {
  naptr(name: string): Promise<readonly NaptrEntry[]>;
  srv(name: string): Promise<readonly SrvEntry[]>;
  /** IPv4 and IPv6, the preferred first (RFC 6724). */
  addresses(name: string): Promise<readonly string[]>;
}

export interface ServerQuestion {
  /** Domain, host name or IP address. */
  readonly host: string;
  readonly port?: number;
  readonly protocol?: SipProtocol;
  /** Whether unprotected protocols may be used where none is set; default: `tls-only`. */
  readonly security?: 'tls-only' | 'any';
}

export interface ServerPlace {
  readonly protocol: SipProtocol;
  readonly address: string;
  readonly port: number;
  /** The name of which it is an address; the address itself where there was no name. */
  readonly host: string;
}

/** A protocol, and the name under which its SRV or address records are. */
interface Service {
  readonly protocol: SipProtocol;
  readonly name: string;
  readonly records: 'srv' | 'address';
}

export const locateLimits = { naptrRecords: 32, srvRecords: 32, addressesOfName: 8, places: 32 } as const;

/** RFC 3263 4.1 and RFC 7118 10.2. */
const naptrServices: Readonly<Record<string, SipProtocol>> = {
  'sip+d2u': 'udp',
  'sip+d2t': 'tcp',
  'sips+d2t': 'tls',
  'sip+d2w': 'ws',
  'sips+d2w': 'wss',
};
const srvPrefixes: Readonly<Record<SipProtocol, string>> = {
  udp: '_sip._udp',
  tcp: '_sip._tcp',
  tls: '_sips._tcp',
  ws: '_sip._ws',
  wss: '_sips._ws',
};
/** Without NAPTR records: the protected ones first, the streams before datagrams. */
const ownOrder = ['tls', 'wss', 'tcp', 'udp', 'ws'] as const;

/**
 * The places of a SIP server in the order in which they are tried (RFC 3263 4.1, 4.2; RFC 7984 for the two address families).
 * What the question does not allow is left out whatever DNS says: an unprotected place never stands in for a protected one.
 * @throws ProtocolError field `sip.locate*` when there is none.
 */
export async function locateServer(
  question: ServerQuestion,
  dns: SipDns,
  random: Random,
): Promise<readonly ServerPlace[]> {
  const { protocol, port } = question;
  const allowed = allowedProtocols(question);
  const host = readHost(question.host, 'sip.locate.host');
  const problems: unknown[] = [];
  const search = new Search(withMemory(dns, problems), random, allowed);
  if (host.kind === 'address') return [direct(protocol ?? preset(allowed), host.address, port)];
  let places: readonly ServerPlace[];
  if (port !== undefined) places = await search.addresses(protocol ?? preset(allowed), host.name, port);
  else if (protocol !== undefined) places = await search.oneProtocol(protocol, host.name);
  else places = await search.anyProtocol(host.name);
  if (places.length > 0) return places.slice(0, locateLimits.places);
  const [cause] = problems;
  throw new ProtocolError(
    'peer-misbehaved',
    cause === undefined ? 'the name has no address' : 'the name cannot be resolved',
    {
      field: 'sip.locate',
      expected: `records of ${host.name} for ${allowed.join(', ')}`,
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

/** RFC 3263 4.1, where neither records nor the user choose: TLS for what must be protected, else UDP. */
function preset(allowed: readonly SipProtocol[]): SipProtocol {
  return allowed.includes('udp') ? 'udp' : 'tls';
}

function allowedProtocols({ protocol, security }: ServerQuestion): readonly SipProtocol[] {
  if (protocol === undefined) return security === 'any' ? ownOrder : ownOrder.filter(isTlsProtocol);
  if (security === 'tls-only' && !isTlsProtocol(protocol)) {
    throw new ProtocolError('policy-denied', `${protocol} is not protected`, {
      field: 'sip.locate.security',
      expected: 'tls or wss, or the security any',
    });
  }
  return [protocol];
}

function direct(protocol: SipProtocol, address: string, port: number | undefined): ServerPlace {
  return { protocol, address, port: port ?? defaultSipPorts[protocol], host: address };
}

/** What cannot be told counts as not there, for some resolvers never answer for NAPTR; why is kept for the last error. */
function withMemory(dns: SipDns, problems: unknown[]): SipDns {
  const forgiving = async <T>(answer: Promise<readonly T[]>): Promise<readonly T[]> => {
    try {
      return await answer;
    } catch (error) {
      problems.push(error);
      return [];
    }
  };
  return {
    naptr: (name) => forgiving(dns.naptr(name)),
    srv: (name) => forgiving(dns.srv(name)),
    addresses: (name) => forgiving(dns.addresses(name)),
  };
}

class Search {
  readonly #dns: SipDns;
  readonly #random: Random;
  readonly #allowed: readonly SipProtocol[];
  readonly #known = new Map<string, Promise<readonly string[]>>();

  constructor(dns: SipDns, random: Random, allowed: readonly SipProtocol[]) {
    this.#dns = dns;
    this.#random = random;
    this.#allowed = allowed;
  }

  async anyProtocol(name: string): Promise<readonly ServerPlace[]> {
    const announced = await this.#services(await this.#announced(name));
    if (announced.length > 0) return announced;
    const guessed = this.#allowed.map((protocol): Service => ({
      protocol,
      name: `${srvPrefixes[protocol]}.${name}`,
      records: 'srv',
    }));
    const found = await this.#services(guessed);
    if (found.length > 0) return found;
    // RFC 3263 4.2: without any record for SIP the name itself is the server.
    const protocol = preset(this.#allowed);
    const places = await this.addresses(protocol, name);
    // RFC 3261 18: every server takes both.
    return protocol === 'udp' ? [...places, ...(await this.addresses('tcp', name))] : places;
  }

  async oneProtocol(protocol: SipProtocol, name: string): Promise<readonly ServerPlace[]> {
    const entries = await this.#dns.srv(`${srvPrefixes[protocol]}.${name}`);
    if (entries.length === 0) return this.addresses(protocol, name);
    return this.#places(protocol, entries);
  }

  async addresses(protocol: SipProtocol, name: string, port?: number): Promise<readonly ServerPlace[]> {
    let looking = this.#known.get(name);
    if (looking === undefined) {
      looking = this.#dns.addresses(name);
      this.#known.set(name, looking);
    }
    const found = (await looking).slice(0, locateLimits.addressesOfName);
    return found.map((address) => ({ ...direct(protocol, address, port), host: name }));
  }

  /** RFC 3263 4.1: records of services that we do not have, or must not use, are discarded; the rest keeps its order. */
  async #announced(name: string): Promise<readonly Service[]> {
    const records = (await this.#dns.naptr(name)).slice(0, locateLimits.naptrRecords);
    return records
      .toSorted((a, b) => a.order - b.order || a.preference - b.preference)
      .flatMap(({ flags, service, regexp, replacement }): Service[] => {
        const protocol = naptrServices[service.toLowerCase()];
        const records = { s: 'srv', a: 'address' }[flags.toLowerCase()] as Service['records'] | undefined;
        if (protocol === undefined || records === undefined || !this.#allowed.includes(protocol)) return [];
        const name = regexp === '' ? usableName(replacement) : undefined;
        return name === undefined ? [] : [{ protocol, name, records }];
      });
  }

  async #services(services: readonly Service[]): Promise<readonly ServerPlace[]> {
    const found = await Promise.all(
      services.map(async ({ protocol, name, records }) =>
        records === 'address' ? this.addresses(protocol, name) : this.#places(protocol, await this.#dns.srv(name)),
      ),
    );
    return found.flat();
  }

  async #places(protocol: SipProtocol, entries: readonly SrvEntry[]): Promise<readonly ServerPlace[]> {
    // RFC 2782: a target of "." says that the service is not offered.
    const usable = entries.slice(0, locateLimits.srvRecords).flatMap((entry) => {
      const target = usableName(entry.target);
      return target === undefined || entry.port < 1 || entry.port > 65535 ? [] : [{ ...entry, target }];
    });
    const ordered = orderSrv(usable, this.#random);
    const found = await Promise.all(ordered.map(({ target, port }) => this.addresses(protocol, target, port)));
    return found.flat();
  }
}

/** Undefined for what cannot be a name, `.` included. */
function usableName(text: string): string | undefined {
  try {
    const host = readHost(text, 'sip.locate.record');
    return host.kind === 'name' ? host.name : undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
