import type { CancelTimer } from '../../base/clock.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { ProtectionLevel } from '../../base/protection-level.ts';
import { identityText } from '../../protocol/mikey/index.ts';
import { notProtectedBy, type MessagePskMimeEvidence } from '../evidence.ts';
import { limits } from '../limits.ts';
import type { EnginePorts } from '../ports.ts';
import { openMessage, type OpenedMessage, type ReceivedMessage } from '../psk-mime/index.ts';
import { asRefusalError, refusal, type Refusal } from '../refusal.ts';
import { ticketEvidence } from '../tickets/ticket-evidence.ts';
import type { TicketService } from '../tickets/ticket-service.ts';

export interface Decrypted {
  readonly peer: string;
  /** Undefined when it could not be read; `problem` then says why. */
  readonly text: string | undefined;
  readonly messageId?: string;
  readonly level: ProtectionLevel;
  readonly evidence: MessagePskMimeEvidence;
  readonly problem?: Refusal;
  /** Another try may succeed: the KMS was not reached. */
  readonly retry: boolean;
}

/** Opens protected messages with the help of the KMS, and tries again, a bounded number of times, while it is away. */
export class Decryptor {
  readonly #ports: EnginePorts;
  readonly #tickets: TicketService;
  readonly #timers = new Set<CancelTimer>();
  #stopped = false;

  constructor(ports: EnginePorts, tickets: TicketService) {
    this.#ports = ports;
    this.#tickets = tickets;
  }

  /** @param peer who the network says it is. Never rejects. */
  async decrypt(received: ReceivedMessage, asserted: string, peer: string): Promise<Decrypted> {
    try {
      const resolved = await this.#tickets.resolve(received.transfer);
      const opened = openMessage(received, resolved, asserted);
      return this.#readable(received, opened);
    } catch (error) {
      const problem = this.#problemOf(error);
      return {
        peer,
        text: undefined,
        // Nothing was proven: the level says no more than that the octets were encrypted to somebody.
        level: 'unverified',
        evidence: this.#evidence(received, 'unproven'),
        problem,
        retry: problem.code === 'kms-unreachable',
      };
    }
  }

  /** Tries at growing distances until it can be read, is refused for good, or the tries are used up. */
  retryLater(
    received: ReceivedMessage,
    asserted: string,
    peer: string,
    report: (decrypted: Decrypted) => void,
    tries = 0,
  ): void {
    const wait = limits.decryptionRetryMilliseconds[tries];
    if (this.#stopped || wait === undefined || this.#timers.size >= limits.undecryptableMessages) return;
    const cancel = this.#ports.clock.after(wait, () => {
      this.#timers.delete(cancel);
      void this.decrypt(received, asserted, peer).then((decrypted) => {
        if (this.#stopped) return;
        if (decrypted.retry) this.retryLater(received, asserted, peer, report, tries + 1);
        else report(decrypted);
      });
    });
    this.#timers.add(cancel);
  }

  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }

  #readable(received: ReceivedMessage, opened: OpenedMessage): Decrypted {
    return {
      peer: identityText(received.transfer.initiator),
      text: opened.text,
      ...(opened.messageId === undefined ? {} : { messageId: opened.messageId }),
      level: opened.identity === 'verified' ? 'e2e' : 'unverified',
      evidence: this.#evidence(received, opened.originProven ? 'proven' : 'unproven'),
      retry: false,
    };
  }

  #evidence(received: ReceivedMessage, origin: 'proven' | 'unproven'): MessagePskMimeEvidence {
    const { transfer } = received;
    return {
      kind: 'message-psk-mime',
      contentEncryption: received.contentEncryption,
      kms: this.#tickets.kmsIdentity,
      ticket: ticketEvidence({ issuedAt: transfer.ticketIssuedAt, validUntil: transfer.validUntil }),
      keyId: received.keyId,
      origin,
      vouchedBy: 'kms',
      verifiedAt: this.#ports.clock.now(),
      notProtected: notProtectedBy.endToEnd,
    };
  }

  #problemOf(error: unknown): Refusal {
    if (error instanceof ProtocolError) {
      this.#ports.log.log('warn', 'message.undecryptable', { field: error.field, reason: error.message });
      return refusal('decryption-failed', 'received');
    }
    return asRefusalError(error, 'decryption-failed').refusal('received');
  }
}
