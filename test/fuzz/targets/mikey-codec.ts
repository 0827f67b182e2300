import {
  decodeInitiatorData,
  decodeTicketData,
  encodeInitiatorData,
  encodeTicketData,
} from '../../../src/protocol/mikey/ticket-codec.ts';
import { decodeMessage, encodeMessage, readErrorMessage } from '../../../src/protocol/mikey/index.ts';
import { ensure, ensureSame, parsed, type FuzzTarget } from '../target.ts';
import { exchanges, mikeyTokens, vectorMessages } from './mikey-world.ts';

/** MIKEY messages: what decodes encodes to the same octets, and so do ticket and Initiator Data. */
export const mikeyCodec: FuzzTarget = {
  name: 'mikey-codec',
  corpus: [...vectorMessages, ...exchanges.map(({ transfer }) => transfer.message)],
  tokens: mikeyTokens,
  check: (input) => {
    const message = parsed(() => decodeMessage(input));
    if (message === undefined) return;
    ensureSame(encodeMessage(message), input, 'another encoding than it was read from');
    const end = message.spans.at(-1);
    ensure(end !== undefined && end.offset + end.length === input.length, 'octets outside of every payload');
    parsed(() => readErrorMessage(message));
    for (const payload of message.payloads) {
      if (payload.payload !== 'TICKET') continue;
      const data = parsed(() => decodeTicketData(payload.ticketData));
      if (data !== undefined) ensureSame(encodeTicketData(data), payload.ticketData, 'another Ticket Data');
      const initiatorData = parsed(() => decodeInitiatorData(payload.initiatorData));
      if (initiatorData !== undefined) {
        ensureSame(encodeInitiatorData(initiatorData), payload.initiatorData, 'another Initiator Data');
      }
    }
  },
};
