import type { MediaDirection, SdpLine } from '../../protocol/sdp/index.ts';
import type { MsrpChannelOptions } from '../msrp/msrp-channel.ts';
import type { RelatedPart } from '../sip/index.ts';
import type { RemoteStream } from './remote-stream.ts';

/** What a stream is for: what its SDP says besides the transport and its protection, and how its messages are taken. */
export interface StreamPurpose {
  readonly direction: MediaDirection;
  /** Media types that we take, for `a=accept-types`; the channel refuses others. */
  readonly acceptTypes: readonly string[];
  readonly acceptWrappedTypes: readonly string[];
  /** Octets of the largest message that we take, for `a=max-size`; absent for no bound. */
  readonly maxSize?: number;
  readonly more: readonly SdpLine[];
  /** What travels beside an offer of it. */
  readonly related?: readonly RelatedPart[];
  /** Takes back an offer of it that is not answered yet. */
  readonly signal?: AbortSignal;
  readonly channel: Pick<MsrpChannelOptions, 'maxMessageOctets' | 'judge' | 'openSink' | 'holdsReports'>;
  /** Whether the far end's answer fits the purpose. @throws RefusalError or ProtocolError when it does not. */
  readonly checkAnswer?: (remote: RemoteStream) => void;
}
