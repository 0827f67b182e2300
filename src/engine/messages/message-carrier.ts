import type { Groups } from '../groups/group.ts';
import type { Attempt, Carried, Carrier } from '../outbox/carrier.ts';
import { refuse, RefusalError } from '../refusal.ts';
import type { ListToReach, MessageSender } from './message-sender.ts';

export interface MessageCarrierOptions {
  readonly self: string;
  readonly sender: MessageSender;
  readonly groups: Groups;
  /** URI of the network's list service, for messages to groups. */
  readonly listService: string | undefined;
  /** Takes what is too large for one message. */
  readonly session: Carrier;
  /** It goes in a session from now on. */
  readonly onTooLarge: (id: string) => void;
}

/** Brings texts of the outbox over as SIP MESSAGEs: to one, to a group, and in a session where they turn out too large. */
export class MessageCarrier implements Carrier {
  readonly #options: MessageCarrierOptions;

  constructor(options: MessageCarrierOptions) {
    this.#options = options;
  }

  async carry(attempt: Attempt): Promise<Carried> {
    const { message, entry, messageId, isAgain, leaving } = attempt;
    const list = this.#listFor(entry.peer);
    try {
      const { level, evidence } = await this.#options.sender.send({
        peer: entry.peer,
        text: message.text,
        at: message.at,
        messageId,
        policy: entry.policy,
        floor: entry.floor,
        isAgain,
        leaving,
        ...(list === undefined ? {} : { list }),
      });
      return { level, evidence, state: 'accepted' };
    } catch (error) {
      // Profile 5.5: above what one message may be, a session; by the same policy and at no less than was promised.
      if (list !== undefined || !(error instanceof RefusalError) || error.code !== 'too-large') throw error;
      this.#options.onTooLarge(entry.id);
      return this.#options.session.carry(attempt);
    }
  }

  #listFor(conversation: string): ListToReach | undefined {
    const { groups, self, listService } = this.#options;
    const members = groups.membersOf(conversation);
    if (members === undefined) return undefined;
    if (listService === undefined) throw noListService();
    return { recipients: members.filter((member) => member !== self), service: listService };
  }
}

export function noListService(): RefusalError {
  return refuse('peer-incompatible', 'message', {
    happened: 'The network of this account is not known to have a list service, which messages to several need',
  });
}
