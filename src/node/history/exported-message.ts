import { z } from 'zod';
import { evidence, messageState, messageWay, protectionLevel, refusal } from '../../contract/index.ts';
import type { ChatMessage } from '../../engine/chat-message.ts';
import { limits } from '../../engine/limits.ts';

const name = z.string().min(1).max(1000);
const time = z.number().min(0).max(8.64e15);

/** What an export may say of one message: everything that is known of it, within bounds, and nothing else. */
const exportedMessage = z.object({
  account: name,
  message: z.object({
    id: z.string().min(1).max(200),
    conversation: name,
    direction: z.enum(['in', 'out']),
    from: name,
    to: name,
    text: z.string().max(limits.longTextOctets),
    subject: z.string().max(4096).exactOptional(),
    sentAt: time.exactOptional(),
    at: time,
    way: messageWay,
    level: protectionLevel,
    evidence: evidence.exactOptional(),
    state: messageState,
    problem: refusal.exactOptional(),
    messageId: z.string().min(1).max(1000).exactOptional(),
    fromOtherDevice: z.literal(true).exactOptional(),
    imported: z.object({ at: time, level: protectionLevel, evidence: evidence.exactOptional() }).exactOptional(),
    recipients: z
      .array(z.object({ address: name, state: messageState, problem: refusal.exactOptional() }))
      .max(1000)
      .exactOptional(),
  }),
});

/** Undefined for what is no message of an export. */
export function checkExportedMessage(
  value: unknown,
): { readonly account: string; readonly message: ChatMessage } | undefined {
  const checked = exportedMessage.safeParse(value);
  if (!checked.success) return undefined;
  return checked.data as { readonly account: string; readonly message: ChatMessage };
}
