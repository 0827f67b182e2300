import { toHex } from '../../base/bytes.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import {
  createTransfer,
  identityText,
  receiveTransfer,
  ReplayCache,
  sameIdentity,
  uriIdentity,
  type ReceivedTransfer,
} from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';
import type { TicketEvidence } from '../evidence.ts';
import { limits } from '../limits.ts';
import type { EnginePorts } from '../ports.ts';
import { refuse } from '../refusal.ts';
import { replayKey } from '../tickets/replay-key.ts';
import { ticketEvidence } from '../tickets/ticket-evidence.ts';
import type { TicketService } from '../tickets/ticket-service.ts';

/** What both ends of an end-to-end session share, and how they came to it. */
export interface SessionKey {
  /** The TEK of the crypto session: the pre-shared key of the TLS handshake (profile 3.1). */
  readonly psk: SecretBytes;
  readonly pskIdentity: string;
  readonly peer: string;
  readonly kms: string;
  readonly ticket: TicketEvidence;
}

export interface OfferedKey {
  /** TRANSFER_INIT, for the offer. */
  readonly message: Uint8Array;
  /** Takes the TRANSFER_RESP of the answer. @throws RefusalError `ticket-invalid`. */
  acceptResponse(message: Uint8Array): SessionKey;
}

export interface AnsweredKey {
  /** TRANSFER_RESP, for the answer. */
  readonly message: Uint8Array;
  readonly key: SessionKey;
}

/** Keys of end-to-end sessions by MIKEY-TICKET (profile 3.4 to 3.6). */
export class SessionKeys {
  readonly #ports: EnginePorts;
  readonly #tickets: TicketService;
  /** Offers whose MAC was verified. */
  readonly #seen = new ReplayCache(limits.replayEntries);

  constructor(ports: EnginePorts, tickets: TicketService) {
    this.#ports = ports;
    this.#tickets = tickets;
  }

  /** For who asks a user before a key is needed. @throws RefusalError `no-kms` or `psk-tls-unavailable` where none can be had. */
  requirePossible(): void {
    this.#requirePskTls();
    if (!this.#tickets.configured) throw refuse('no-kms', 'session');
  }

  /** @param peer KMS user identity. @throws RefusalError as `TicketService.ticketFor`, or `psk-tls-unavailable`. */
  async offer(peer: string): Promise<OfferedKey> {
    this.#requirePskTls();
    const { random } = this.#ports;
    const ticket = await this.#tickets.ticketFor(peer, 'session');
    const transfer = createTransfer({
      ticket,
      initiator: this.#tickets.self,
      responder: uriIdentity(peer),
      protType: profile.mikey.protTypeTls,
      csId: profile.mikey.crypto.csId,
      sdpIds: 'mikey',
      now: this.#tickets.now(),
      random,
    });
    return {
      message: transfer.message,
      acceptResponse: (message) => {
        const tek = this.#checked(() => transfer.accept(message, this.#tickets.now()).tek);
        return {
          psk: tek,
          pskIdentity: pskIdentity(transfer),
          peer,
          kms: this.#tickets.kmsIdentity,
          ticket: ticketEvidence(ticket, this.#tickets.credentialMode),
        };
      },
    };
  }

  /**
   * Checks a TRANSFER_INIT from an offer, resolves its ticket at the KMS and answers it.
   * @param peer KMS user identity of who sent the offer, by the network's word.
   * @throws RefusalError `psk-tls-unavailable`, `no-kms`, `ticket-invalid`, `replayed` or as `TicketService.resolve`.
   */
  async answer(message: Uint8Array, offeredProtocols: readonly string[], peer: string): Promise<AnsweredKey> {
    this.#requirePskTls();
    if (!this.#tickets.configured) throw refuse('no-kms', 'session');
    const { random } = this.#ports;
    const received = this.#checked(() =>
      receiveTransfer(message, {
        now: this.#tickets.now(),
        self: [this.#tickets.self],
        protTypes: [profile.mikey.protTypeTls, profile.mikey.protTypeTlsAlsoAccepted],
        checkFreshness: 'window',
      }),
    );
    this.#requireBinding(received, offeredProtocols, peer);
    if (this.#seen.has(replayKey(received), this.#tickets.now())) throw refuse('replayed', 'session');
    const resolved = await this.#tickets.resolve(received);
    if (!resolved.originProven) {
      throw refuse('ticket-invalid', 'session', { happened: 'The key ticket does not prove who is calling' });
    }
    // Not before its MAC was verified: what proves nothing must not fill this memory.
    this.#requireNew(received);
    const { message: response, tek } = this.#checked(() => resolved.respond({ now: this.#tickets.now(), random }));
    return {
      message: response,
      key: {
        psk: tek,
        pskIdentity: pskIdentity(received),
        peer,
        kms: this.#tickets.kmsIdentity,
        ticket: ticketEvidence(
          { issuedAt: received.ticketIssuedAt, validUntil: received.validUntil },
          this.#tickets.credentialMode,
        ),
      },
    };
  }

  #requirePskTls(): void {
    if (!this.#ports.msrp.canDoPskTls) throw refuse('psk-tls-unavailable', 'session');
  }

  /** Profile 3.6: IDRi is the caller that the network names. RFC 4567 clause 7: the SDP IDs are those of the SDP. */
  #requireBinding(received: ReceivedTransfer, offeredProtocols: readonly string[], peer: string): void {
    if (!sameIdentity(received.initiator, uriIdentity(peer))) {
      this.#ports.log.log('warn', 'session.initiator-mismatch', { initiator: identityText(received.initiator), peer });
      throw refuse('ticket-invalid', 'session', {
        happened: 'The key ticket belongs to somebody else than the caller',
      });
    }
    if (received.sdpIds === undefined) {
      this.#ports.log.log('warn', 'session.sdp-ids-missing', { peer });
    } else if (received.sdpIds !== offeredProtocols.join(';')) {
      throw refuse('ticket-invalid', 'session', {
        happened: 'The key management protocols in the offer are not those that its sender authenticated',
      });
    }
  }

  #requireNew(received: ReceivedTransfer): void {
    const until = received.timestamp + 2 * profile.replay.clockSkewSeconds * 1000;
    if (this.#seen.add(replayKey(received), until, this.#tickets.now()) !== 'fresh')
      throw refuse('replayed', 'session');
  }

  #checked<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#ports.log.log('warn', 'session.key-refused', { field: error.field, reason: describeError(error) });
      throw refuse('ticket-invalid', 'session', {
        happened: `The key ticket did not pass its checks (${error.message})`,
        cause: error,
      });
    }
  }
}

/** Profile 3.3: hexadecimal CSB ID, a dot, hexadecimal CS ID. */
function pskIdentity({ csbId, csId }: { readonly csbId: number; readonly csId: number }): string {
  return `${csbId.toString(16).padStart(8, '0')}.${toHex(Uint8Array.of(csId))}`;
}
