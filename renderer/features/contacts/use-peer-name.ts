import type { MessageView } from '../../../src/contract/index.ts';
import { useRemote } from '../../app-context.tsx';
import type { RemoteState } from '../../bridge/state.ts';
import { shortName } from '../../ui/names.ts';

/** How the user calls an address: by the name in the address book, else by the address itself. */
export function usePeerName(): (address: string) => string {
  const contacts = useRemote((state) => state.contacts);
  return (address) => personIn(contacts, address);
}

/** How the user calls whom a conversation is with: a group by all the others in it. */
export function useConversationName(peer: string): string {
  return useRemote((state) => conversationNameIn(state, peer));
}

/** The same from what is known, for what is said aloud when it happens. */
export function conversationNameIn({ conversations, contacts, accounts }: RemoteState, peer: string): string {
  const conversation = conversations.find((one) => one.peer === peer);
  if (conversation?.members === undefined) return personIn(contacts, peer);
  const own = accounts.find(({ id }) => id === conversation.accountId)?.identity;
  const others = conversation.members.filter((member) => member !== own);
  return others.map((member) => personIn(contacts, member)).join(', ');
}

/** Who wrote what came in: in a group one of its members, else the other side. */
export function writerIn({ conversations }: RemoteState, { conversation, from }: MessageView): string {
  const isGroup = conversations.some(({ peer, members }) => peer === conversation && members !== undefined);
  return isGroup ? from : conversation;
}

function personIn(contacts: RemoteState['contacts'], address: string): string {
  return contacts.find(({ addresses }) => addresses.includes(address))?.name ?? shortName(address);
}
