import { useState } from 'react';
import type { AccountView, ContactView } from '../../../src/contract/index.ts';
import { useApp, useRemote } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Sheet } from '../../ui/sheet.tsx';
import { ContactEditor } from './contact-editor.tsx';
import { ContactList } from './contact-list.tsx';

interface Props {
  readonly account: AccountView;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** The address book: all of it, or one contact of it. */
export function ContactsSheet({ account, isOpen, onClose }: Props) {
  const { text } = useTexts();
  const { remote, screen } = useApp();
  const contacts = useRemote((state) => state.contacts);
  const [edited, setEdited] = useState<string>();
  const contact = contacts.find(({ id }) => id === edited);
  const isEditing = edited === 'new' || contact !== undefined;
  const close = () => {
    onClose();
    setEdited(undefined);
  };
  const write = async ({ addresses }: ContactView) => {
    const [peer] = addresses;
    if (peer === undefined) return;
    const accountId = account.id;
    const started = await remote.client.call('startConversation', { accountId, peer }).catch(() => undefined);
    if (started === undefined) return;
    close();
    screen.getState().select({ accountId, peer: started.peer });
  };
  return (
    <Sheet
      isOpen={isOpen}
      onClose={close}
      title={contact?.name ?? text(isEditing ? 'contacts.new' : 'contacts.title')}
      about={isEditing ? undefined : text('contacts.count', { count: contacts.length })}
    >
      {isEditing ? (
        <ContactEditor
          key={edited}
          contact={contact}
          onBack={() => setEdited(undefined)}
          onWrite={(written) => void write(written)}
        />
      ) : (
        <ContactList account={account} onEdit={setEdited} />
      )}
    </Sheet>
  );
}
