import { lookup, Resolver } from 'node:dns/promises';
import { ProtocolError } from '../../base/errors.ts';
import { withDeadline } from '../../engine/deadline.ts';
import type { SipDns } from '../../protocol/sip/locate.ts';
import { systemClock } from '../system-clock.ts';
import { sipConnectionLimits as limits } from './limits.ts';

export interface NodeDnsOptions {
  /** Addresses of DNS servers, `192.0.2.1` or `192.0.2.1:53`; then they are asked for addresses too. The system's when absent. */
  readonly servers?: readonly string[];
  /** Of one question, with its repetitions. */
  readonly timeoutMilliseconds?: number;
}

/** No such name, no such record. */
const nothingThere = new Set(['ENOTFOUND', 'ENODATA', 'ENONAME']);

/** The records that locate a SIP server, from DNS; addresses as this machine looks up every name, its hosts file included. */
export function createNodeDns({ servers, timeoutMilliseconds = limits.dnsMilliseconds }: NodeDnsOptions = {}): SipDns {
  const resolver = new Resolver({ timeout: Math.ceil(timeoutMilliseconds / 2), tries: 2 });
  if (servers !== undefined) resolver.setServers(servers);
  const ask = <T>(name: string, question: Promise<readonly T[]>): Promise<readonly T[]> =>
    withDeadline(systemClock, timeoutMilliseconds, orNothing(question), () => noAnswer(name));
  const addresses = servers === undefined ? systemAddresses : (name: string) => resolvedAddresses(resolver, name);
  return {
    naptr: (name) => ask(name, resolver.resolveNaptr(name)),
    srv: async (name) => {
      const records = await ask(name, resolver.resolveSrv(name));
      return records.map(({ priority, weight, port, name: target }) => ({ priority, weight, port, target }));
    },
    addresses: (name) => ask(name, addresses(name)),
  };
}

async function systemAddresses(name: string): Promise<readonly string[]> {
  const found = await lookup(name, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
}

async function resolvedAddresses(resolver: Resolver, name: string): Promise<readonly string[]> {
  const [ipv6, ipv4] = await Promise.all([orNothing(resolver.resolve6(name)), orNothing(resolver.resolve4(name))]);
  return [...ipv6, ...ipv4];
}

async function orNothing<T>(question: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await question;
  } catch (error) {
    if (error instanceof Error && 'code' in error && nothingThere.has(String(error.code))) return [];
    throw error;
  }
}

function noAnswer(name: string): ProtocolError {
  return new ProtocolError('peer-misbehaved', `no answer for ${name}`, {
    field: 'sip.locate',
    expected: 'an answer of DNS',
  });
}
