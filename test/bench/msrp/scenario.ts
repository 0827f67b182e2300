import type { Wire } from './wire.ts';

/** What is measured between two processes; goes from process to process. */
export type ScenarioSettings =
  /** One long message: octets of memory that are thrown away, or a file that is stored and checked. */
  | { readonly kind: 'transfer'; readonly octets: number; readonly file?: SentFile }
  /** Messages of 200 octets, each answered; `window` of a session are on their way at a time. */
  | { readonly kind: 'messages'; readonly count: number; readonly sessions: number; readonly window: number }
  /** The time until a message of 200 octets is answered, one after the other. */
  | { readonly kind: 'latency'; readonly samples: number; readonly isFileRunning: boolean };

export interface SentFile {
  readonly path: string;
  /** Of all of it, as in SDP. */
  readonly sha256: string;
  /** Where the far end stores it. */
  readonly folder: string;
}

export type Figures = Readonly<Record<string, number>>;

/** Each half of a scenario over connections that stand, over MSRP or over the bare sockets. */
export interface ScenarioEnds {
  /** Makes the passive end ready. */
  receive(wires: readonly Wire[]): Promise<void>;
  /** Makes the active end ready; each call of what it returns is one run. */
  send(wires: readonly Wire[]): (share: number) => Promise<Figures>;
}

export const messageOctets = 200;

/** @param sorted ascending. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
