import { Users } from 'lucide-react';
import { useState } from 'react';
import { useAccount } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { ContactsSheet } from './contacts-sheet.tsx';

export function ContactsButton() {
  const { text } = useTexts();
  const account = useAccount();
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button
        isIcon
        size="small"
        look="quiet"
        aria-label={text('contacts.title')}
        isDisabled={account === undefined}
        onPress={() => setOpen(true)}
      >
        <Users size={17} aria-hidden="true" />
      </Button>
      {account !== undefined && <ContactsSheet account={account} isOpen={isOpen} onClose={() => setOpen(false)} />}
    </>
  );
}
