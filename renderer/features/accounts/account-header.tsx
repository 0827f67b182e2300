import { ChevronsUpDown } from 'lucide-react';
import { useState } from 'react';
import { Button as AriaButton, Dialog, DialogTrigger, Popover } from 'react-aria-components';
import { useAccount } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { plainAddress, shortName } from '../../ui/names.ts';
import { Spoken } from '../../ui/spoken.tsx';
import { Tile } from '../../ui/tile.tsx';
import { StorageSheet } from '../storage/storage-sheet.tsx';
import { AccountDetails, type AccountSheet } from './account-details.tsx';
import { ConnectionSheet } from './connection-sheet.tsx';
import styles from './account-header.module.css';
import { RegistrationMark } from './registration-mark.tsx';

/** Who I am here, and whether the network knows it. Opens the details. */
export function AccountHeader() {
  const { text } = useTexts();
  const account = useAccount();
  const [isOpen, setOpen] = useState(false);
  const [sheet, setSheet] = useState<AccountSheet>();
  if (account === undefined) return <header className={styles.header} />;
  const name = account.displayName ?? shortName(account.identity);
  const identity = plainAddress(account.identity);
  return (
    <header className={styles.header}>
      <ConnectionSheet account={account} isOpen={sheet === 'connection'} onClose={() => setSheet(undefined)} />
      <StorageSheet account={account} isOpen={sheet === 'storage'} onClose={() => setSheet(undefined)} />
      <DialogTrigger isOpen={isOpen} onOpenChange={setOpen}>
        <AriaButton className={styles.account ?? ''}>
          <Tile name={name} />
          <span className={styles.who}>
            <strong>{name}</strong>{' '}
            <span className={styles.state}>
              <RegistrationMark registration={account.registration} />
            </span>
          </span>{' '}
          <Spoken>{text('account.details', { identity })}</Spoken>
          <ChevronsUpDown size={16} aria-hidden="true" className={styles.more} />
        </AriaButton>
        <Popover placement="bottom start" offset={6} className={styles.popover ?? ''}>
          <Dialog className={styles.dialog ?? ''} aria-label={text('account.dialog', { identity })}>
            <AccountDetails
              account={account}
              onSheet={(next) => {
                setOpen(false);
                setSheet(next);
              }}
            />
          </Dialog>
        </Popover>
      </DialogTrigger>
    </header>
  );
}
