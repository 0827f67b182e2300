import { useState } from 'react';
import type { AccountView, StorageView } from '../../../src/contract/index.ts';
import { useApp, useRemote } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { announce } from '../../ui/announcer.tsx';
import { Button } from '../../ui/button.tsx';
import { plainAddress } from '../../ui/names.ts';
import { Sheet, SheetPart } from '../../ui/sheet.tsx';
import { useFileTexts } from '../files/use-file-texts.ts';
import { HistoryExport, HistoryImport } from './history-transfer.tsx';
import { PassphraseForm } from './passphrase-form.tsx';
import { RetentionChoice } from './retention-choice.tsx';
import styles from './storage.module.css';

interface Props {
  readonly account: AccountView;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** How messages are kept on this device, and for how long. */
export function StorageSheet({ account, isOpen, onClose }: Props) {
  const { text } = useTexts();
  const storage = useRemote((state) => state.storage);
  return (
    <Sheet isOpen={isOpen} onClose={onClose} title={text('storage.title')} about={plainAddress(account.identity)}>
      {storage !== undefined && (
        <SheetPart title={text('storage.kept')}>
          <Keeping storage={storage} />
        </SheetPart>
      )}
      <RetentionChoice accountId={account.id} rule={account.retention} accountRule={account.retention} />
      <SheetPart title={text('transfer.title')}>
        <HistoryExport accountId={account.id} />
      </SheetPart>
      <SheetPart title={text('transfer.import.title')}>
        <HistoryImport />
      </SheetPart>
    </Sheet>
  );
}

function Keeping({ storage }: { readonly storage: StorageView }) {
  const { text } = useTexts();
  const { remote } = useApp();
  const { size } = useFileTexts();
  const [isChanging, setChanging] = useState(false);
  const { state, reason = '', octets, passphrase, damagedFile } = storage;
  return (
    <div className={styles.stack}>
      {damagedFile !== undefined && <Damaged path={damagedFile} />}
      {state === 'memory' ? (
        <p>{text('storage.memory', { reason })}</p>
      ) : (
        <p>
          {text(passphrase === true ? 'storage.encrypted.passphrase' : 'storage.encrypted')}{' '}
          {octets !== undefined && <span className={styles.size}>{text('storage.size', { size: size(octets) })}</span>}
        </p>
      )}
      {passphrase === true &&
        (isChanging ? (
          <PassphraseForm
            kind="change"
            label={text('storage.passphrase.change')}
            onSubmit={(given) => remote.client.call('changeStoragePassphrase', given)}
            onDone={() => {
              setChanging(false);
              announce(text('storage.passphrase.changed'));
            }}
          />
        ) : (
          <Button size="small" onPress={() => setChanging(true)}>
            {text('storage.passphrase.change')}
          </Button>
        ))}
    </div>
  );
}

function Damaged({ path }: { readonly path: string }) {
  const { text } = useTexts();
  return (
    <div className={styles.damaged}>
      <strong>{text('storage.damaged')}</strong>
      <p>
        {text('storage.damaged.meaning')} <code>{path}</code>
      </p>
    </div>
  );
}

/** Said where the user cannot miss it, until it was looked at. */
export function DamagedNotice() {
  const { text } = useTexts();
  const path = useRemote((state) => state.storage?.damagedFile);
  const [isRead, setRead] = useState(false);
  if (path === undefined || isRead) return null;
  return (
    <section className={styles.notice} role="status" aria-label={text('storage.damaged')}>
      <Damaged path={path} />
      <Button size="small" onPress={() => setRead(true)}>
        {text('notice.dismiss')}
      </Button>
    </section>
  );
}
