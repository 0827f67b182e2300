import { isFileTransfer } from '../../protocol/sdp/index.ts';
import { asRefusalError, type Refusal } from '../refusal.ts';
import type { IncomingInvite } from '../sip/index.ts';
import { readOffer, requireReachable } from './session-answerer.ts';
import { matchesAsWritten } from './cema.ts';
import type { SessionContext } from './session-context.ts';
import type { RemoteStream } from './stream-description.ts';

/** Who takes which kind of invitation; each answers it. */
export interface InviteTakers {
  readonly chat: (invite: IncomingInvite, peer: string, remote: RemoteStream) => Promise<void>;
  readonly file: (invite: IncomingInvite, peer: string, remote: RemoteStream) => Promise<void>;
  readonly onRefused: (peer: string, problem: Refusal) => void;
}

/** Reads an invitation's offer and hands it to whom it is for: a file (RFC 5547) or a conversation. Never rejects. */
export async function routeInvite(
  context: SessionContext,
  invite: IncomingInvite,
  peer: string,
  { chat, file, onRefused }: InviteTakers,
): Promise<void> {
  try {
    const remote = readOffer(context, invite);
    if (!remote.media.cema && !matchesAsWritten(remote.media)) await requireReachable(context, invite, remote);
    await (isFileTransfer(remote.section) ? file : chat)(invite, peer, remote);
  } catch (error) {
    onRefused(peer, asRefusalError(error, 'peer-incompatible').refusal('invitation'));
  }
}
