import type { Core } from 'sip.js';
import type { Clock } from '../../base/clock.ts';
import { ProtocolError } from '../../base/errors.ts';
import { toUri } from './create-sipjs.ts';
import { maxMessageOctets } from './incoming-messages.ts';
import { awaitReply } from './sip-reply.ts';
import type { OutgoingPublication, SipReply } from './types.ts';
import { encodeBody } from './wire-translation.ts';

/** One PUBLISH (RFC 3903). What it made is named by SIP-ETag of the answer. */
export async function sendPublication(
  core: Core.UserAgentCore,
  clock: Clock,
  callId: string,
  { to, event, expires, content, ifMatch }: OutgoingPublication,
): Promise<SipReply> {
  const uri = toUri(to, 'sip.to');
  if ((content?.body.length ?? 0) > maxMessageOctets || /[\r\n]/.test(ifMatch ?? '')) {
    throw new ProtocolError('local', 'cannot be published', { field: 'sip.body', expected: 'a small document' });
  }
  const lines = [
    `Event: ${event}`,
    `Expires: ${expires}`,
    ...(ifMatch === undefined ? [] : [`SIP-If-Match: ${ifMatch}`]),
  ];
  const body =
    content === undefined
      ? undefined
      : { contentDisposition: 'render', contentType: content.contentType, content: encodeBody(content.body) };
  const { aor } = core.configuration;
  const request = core.makeOutgoingRequestMessage('PUBLISH', uri, aor, uri, { callId }, lines, body);
  return awaitReply(clock, (delegate) => core.publish(request, delegate));
}
