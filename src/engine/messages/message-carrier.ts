import type { Attempt, Carried, Carrier } from '../outbox/carrier.ts';
import type { MessageSender } from './message-sender.ts';

/** Brings texts of the outbox over as SIP MESSAGEs. */
export class MessageCarrier implements Carrier {
  readonly #sender: MessageSender;

  constructor(sender: MessageSender) {
    this.#sender = sender;
  }

  async carry({ message, entry, messageId, isAgain, leaving }: Attempt): Promise<Carried> {
    const { level, evidence } = await this.#sender.send({
      peer: entry.peer,
      text: message.text,
      at: message.at,
      messageId,
      policy: entry.policy,
      floor: entry.floor,
      isAgain,
      leaving,
    });
    return { level, evidence, state: 'accepted' };
  }
}
