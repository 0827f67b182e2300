import { parseCSeq } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import { putBounded } from './credential-cache.ts';

const headerNames = ['Authorization', 'Proxy-Authorization'] as const;
const maxInvites = 64;

/** RFC 3261 clauses 13.2.2.4 and 22.1: an ACK carries the credentials of its INVITE. */
export class InviteCredentials {
  readonly #fields = new Map<string, readonly (readonly [name: string, value: string])[]>();

  /** @param invite as it leaves. */
  remember(invite: SipMessage): void {
    const fields = headerNames.flatMap((name) => invite.headers.getAll(name).map((value) => [name, value] as const));
    if (fields.length > 0) putBounded(this.#fields, keyOf(invite), fields, maxInvites);
  }

  addTo(ack: SipMessage): void {
    for (const [name, value] of this.#fields.get(keyOf(ack)) ?? []) ack.headers.add(name, value);
  }
}

function keyOf({ headers }: SipMessage): string {
  return `${headers.get('Call-ID') ?? ''}\n${parseCSeq(headers.get('CSeq') ?? '').number}`;
}
