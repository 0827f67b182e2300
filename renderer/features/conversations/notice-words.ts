import type { ConversationNotice } from '../../../src/contract/index.ts';
import type { Texts } from '../../i18n/text.tsx';

/** What a notice says in a line, on the screen and aloud. */
export function noticeTitle(
  { kind, policy }: ConversationNotice,
  name: string,
  accountPolicy: NonNullable<ConversationNotice['policy']>,
  text: Texts['text'],
): string {
  if (kind === 'trust-changed') return text('notice.trust', { peer: name });
  return policy === undefined
    ? text('notice.policy.account', { peer: name, policy: text(`policy.${accountPolicy}`) })
    : text('notice.policy', { peer: name, policy: text(`policy.${policy}`) });
}
