import type { Figures, ScenarioSettings } from './scenario.ts';
import type { Protection } from './wire.ts';

export interface PeerTask {
  readonly stack: 'msrp' | 'bare';
  readonly protection: Protection;
  readonly connections: number;
  readonly settings: ScenarioSettings;
}

/** From the benchmark to one of the two processes that it measures. */
export type PeerCommand =
  | { readonly type: 'listen'; readonly task: PeerTask }
  | { readonly type: 'connect'; readonly task: PeerTask; readonly port: number }
  /** Time, processor time and peak memory count from now on. */
  | { readonly type: 'begin' }
  /** @property share part of the work, for a run that only warms up. */
  | { readonly type: 'run'; readonly share: number }
  | { readonly type: 'measures' }
  | { readonly type: 'end' };

export type PeerReply =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'ready'; readonly description: string }
  | { readonly type: 'figures'; readonly figures: Figures }
  | { readonly type: 'failed'; readonly problem: string };
