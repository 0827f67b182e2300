import type { MediaSection, MsrpMedia, SessionDescription } from '../../protocol/sdp/index.ts';
import type { Fingerprint } from '../ports.ts';
import type { StreamFacts } from './session-decision.ts';

/** The far end's SDP, read. */
export interface RemoteStream {
  readonly description: SessionDescription;
  readonly section: MediaSection;
  readonly media: MsrpMedia;
  readonly facts: StreamFacts;
  /** The fingerprints whose hash is strong enough (profile 2.4). */
  readonly fingerprints: readonly Fingerprint[];
}
