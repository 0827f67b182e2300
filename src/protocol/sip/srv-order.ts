import type { Random } from '../../base/random.ts';
import { randomU32 } from '../../base/random.ts';

/** One SRV record (RFC 2782). */
export interface SrvEntry {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** `.` or nothing says that the service is not offered. */
  readonly target: string;
}

/** The order in which the targets are tried: by priority, and within one by chance in proportion to the weights (RFC 2782). */
export function orderSrv(entries: readonly SrvEntry[], random: Random): readonly SrvEntry[] {
  const priorities = [...new Set(entries.map(({ priority }) => priority))].sort((a, b) => a - b);
  return priorities.flatMap((wanted) =>
    drawAll(
      entries.filter(({ priority }) => priority === wanted),
      random,
    ),
  );
}

function drawAll(entries: readonly SrvEntry[], random: Random): SrvEntry[] {
  // Those of weight 0 first: they are drawn when the number is 0, which keeps their chance very small.
  const left = entries.toSorted((a, b) => Number(a.weight > 0) - Number(b.weight > 0));
  const drawn: SrvEntry[] = [];
  while (left.length > 1) {
    const sum = left.reduce((total, { weight }) => total + weight, 0);
    const number = randomU32(random) % (sum + 1);
    let running = 0;
    const at = left.findIndex(({ weight }) => (running += weight) >= number);
    drawn.push(...left.splice(at, 1));
  }
  return [...drawn, ...left];
}
