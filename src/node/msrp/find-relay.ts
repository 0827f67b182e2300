import { resolveSrv } from 'node:dns/promises';
import type { SrvRecord } from 'node:dns';
import type { SocketAddress } from '../../engine/ports.ts';

/** RFC 4976 section 8. */
const defaultPort = 2855;

/**
 * The places of a relay that is named without a port: `_msrps._tcp` of its name by priority, then by weight, and the name
 * itself at port 2855 when there are none.
 */
export async function findRelay(
  name: string,
  lookUp: (service: string) => Promise<readonly SrvRecord[]> = resolveSrv,
): Promise<readonly SocketAddress[]> {
  const fallback = [{ host: name, port: defaultPort }];
  let records: readonly SrvRecord[];
  try {
    records = await lookUp(`_msrps._tcp.${name}`);
  } catch {
    return fallback;
  }
  // RFC 2782: a target of "." says that the service is not offered.
  const usable = records.filter((record) => record.name !== '' && record.name !== '.');
  if (usable.length === 0) return fallback;
  return usable
    .toSorted((a, b) => a.priority - b.priority || b.weight - a.weight)
    .map((record) => ({ host: record.name, port: record.port }));
}
