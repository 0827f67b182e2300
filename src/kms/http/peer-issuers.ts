import { ProtocolError } from '../../base/errors.ts';
import { sameIdentity, type ForeignTicket, type IssuerAnswer, type TicketIssuers } from '../../protocol/mikey/index.ts';
import { mikeyError } from '../../protocol/mikey/index.ts';
import type { KmsPeer } from '../peers.ts';
import { PeerClient, type PeerClientOptions } from './peer-client.ts';

/** The KMSs of a configuration, as issuers of tickets that our users get. */
export class PeerIssuers implements TicketIssuers {
  readonly #clients: readonly { readonly peer: KmsPeer; readonly client: PeerClient }[];

  /** Peers without a URL are never asked. */
  constructor(peers: readonly KmsPeer[], options: Omit<PeerClientOptions, 'peer'>) {
    this.#clients = peers.flatMap((peer) =>
      peer.url === undefined
        ? []
        : [{ peer, client: new PeerClient({ ...options, peer: { ...peer, url: peer.url } }) }],
    );
  }

  async ask(foreign: ForeignTicket): Promise<IssuerAnswer> {
    const found = this.#clients.find(({ peer }) => sameIdentity(peer.identity, foreign.issuer));
    if (found === undefined) return { answer: 'unknown' };
    // Or a peer could have its tickets say that they come from our own users, or from a third KMS's.
    if (foreign.initiator === undefined || !found.peer.speaksFor(foreign.initiator)) {
      return {
        answer: 'refused',
        error: new ProtocolError('policy-denied', 'its issuer does not speak for this initiator', {
          field: 'mikey.TICKET.IDRi',
          hint: { mikey: mikeyError.invalidTicket },
        }),
      };
    }
    return found.client.resolve(foreign);
  }

  stop(): void {
    for (const { client } of this.#clients) client.stop();
  }
}
