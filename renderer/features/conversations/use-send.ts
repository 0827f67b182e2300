import type { CallInput } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';
import { BridgeCallError } from '../../bridge/client.ts';
import type { ConversationKey } from '../../bridge/state.ts';

type SendInput = Omit<CallInput<'sendMessage'>, 'accountId' | 'to'>;

/** Sends in a conversation. A refusal is no failure: it appears in the conversation as a message that was not sent. */
export function useSend(key: ConversationKey) {
  const { remote } = useApp();
  return {
    /** Resolves to what went wrong on the way to the engine, if anything. */
    send: async (input: SendInput): Promise<BridgeCallError | undefined> => {
      try {
        await remote.client.call('sendMessage', { accountId: key.accountId, to: key.peer, ...input });
        return undefined;
      } catch (error) {
        if (error instanceof BridgeCallError) return error;
        throw error;
      }
    },
    /** Nothing to be tried any more, or the link is down, which has its own banner. */
    retry: (messageId: string): Promise<void> =>
      remote.client.call('retryMessage', { accountId: key.accountId, peer: key.peer, messageId }).then(
        () => undefined,
        () => undefined,
      ),
    discard: (messageId: string) =>
      // Gone already, or the link is down, which has its own banner.
      void remote.client
        .call('discardMessage', { accountId: key.accountId, peer: key.peer, messageId })
        .catch(() => undefined),
  };
}
