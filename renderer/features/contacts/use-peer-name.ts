import { useRemote } from '../../app-context.tsx';
import { shortName } from '../../ui/names.ts';

/** How the user calls an address: by the name in the address book, else by the address itself. */
export function usePeerName(): (address: string) => string {
  const contacts = useRemote((state) => state.contacts);
  return (address) => contacts.find(({ addresses }) => addresses.includes(address))?.name ?? shortName(address);
}
