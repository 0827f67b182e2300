import type { MessageView } from '../../../src/contract/index.ts';
import type { TextKey } from '../../i18n/en.ts';

/** What a message waits for, in a few words. */
export function waitingTitle({ state, problem }: MessageView): TextKey {
  if (state === 'sent') return 'waiting.title.sent';
  switch (problem?.code) {
    case 'not-registered':
    case 'kms-unreachable':
      return `waiting.title.${problem.code}`;
    default:
      return 'waiting.title.other';
  }
}
