import { ProtocolError } from '../../base/errors.ts';
import type { ProtectionLevel } from '../../base/protection-level.ts';
import { identityText } from '../../protocol/mikey/index.ts';
import { notProtectedBy, type MessagePskMimeEvidence } from '../evidence.ts';
import type { MessageContent } from '../message-content.ts';
import type { EnginePorts } from '../ports.ts';
import { openMessage, type OpenedMessage, type ReceivedMessage } from '../psk-mime/index.ts';
import { asRefusalError, refusal, type Refusal } from '../refusal.ts';
import { FullJitter } from '../tickets/full-jitter.ts';
import { ticketEvidence } from '../tickets/ticket-evidence.ts';
import type { TicketService } from '../tickets/ticket-service.ts';

export interface Decrypted {
  readonly peer: string;
  /** Undefined when it could not be read; `problem` then says why. */
  readonly content: MessageContent | undefined;
  readonly level: ProtectionLevel;
  readonly evidence: MessagePskMimeEvidence;
  readonly problem?: Refusal;
  /** False when who sent it is named otherwise inside of it, or by the network. */
  readonly isHonest: boolean;
  /** Another try may succeed: the KMS was not reached. */
  readonly retry: boolean;
}

/** Opens protected messages with the help of the KMS, and tries again, a bounded number of times, while it is away. */
export class Decryptor {
  readonly #ports: EnginePorts;
  readonly #tickets: TicketService;
  readonly #waits = new Set<() => void>();
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
      return this.#readable(received, opened, peer);
    } catch (error) {
      const problem = this.#problemOf(error);
      return { ...this.unread(received, peer, problem), retry: problem.code === 'kms-unreachable' };
    }
  }

  /** What stands for a message that cannot be read. */
  unread(received: ReceivedMessage, peer: string, problem: Refusal): Decrypted {
    return {
      peer,
      content: undefined,
      // Nothing was proven: the level says no more than that the octets were encrypted to somebody.
      level: 'unverified',
      evidence: this.#evidence(received, 'unproven'),
      isHonest: false,
      problem,
      retry: false,
    };
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /**
   * Tries again when the KMS is back, or at growing distances where only the road to the ticket's own KMS is blocked, until the
   * message can be read or is refused for good.
   * @returns undefined when the ticket has ended meanwhile, or at a stop. Never rejects.
   */
  async decryptLater(received: ReceivedMessage, asserted: string, peer: string): Promise<Decrypted | undefined> {
    const backOff = new FullJitter(this.#ports.random);
    for (;;) {
      const isAway = this.#tickets.state.state === 'unreachable';
      await this.#nextChance(isAway ? undefined : backOff.next());
      const { validUntil = Infinity } = received.transfer;
      if (this.#stopped || this.#tickets.now() > validUntil) return undefined;
      const decrypted = await this.decrypt(received, asserted, peer);
      if (!decrypted.retry) return decrypted;
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const end of [...this.#waits]) end();
  }

  /** When the KMS is back, after `milliseconds` where given, or at a stop. */
  #nextChance(milliseconds: number | undefined): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        unsubscribe();
        this.#waits.delete(end);
        resolve();
      };
      const cancel = milliseconds === undefined ? () => undefined : this.#ports.clock.after(milliseconds, end);
      const unsubscribe = this.#tickets.events.on('available', end);
      this.#waits.add(end);
    });
  }

  #readable(received: ReceivedMessage, opened: OpenedMessage, peer: string): Decrypted {
    return {
      // Without forking anybody who holds a ticket writes any name into IDRi (RFC 6043 9): then the network's word stands.
      peer: opened.originProven ? identityText(received.transfer.initiator) : peer,
      content: opened.content,
      // Profile 5.1: a key that others hold too, or a text that nothing binds to the ticket, has no proven other end.
      level: opened.originProven && opened.identity === 'verified' ? 'e2e' : 'unverified',
      evidence: this.#evidence(received, opened.originProven ? 'proven' : 'unproven'),
      isHonest: opened.identity === 'verified',
      retry: false,
    };
  }

  #evidence(received: ReceivedMessage, origin: 'proven' | 'unproven'): MessagePskMimeEvidence {
    const { transfer } = received;
    return {
      kind: 'message-psk-mime',
      contentEncryption: received.contentEncryption,
      kms: this.#tickets.kmsIdentity,
      ticket: ticketEvidence(
        { issuedAt: transfer.ticketIssuedAt, validUntil: transfer.validUntil },
        this.#tickets.credentialMode,
      ),
      keyId: received.keyId,
      origin,
      vouchedBy: origin === 'proven' ? 'kms' : 'nobody',
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
