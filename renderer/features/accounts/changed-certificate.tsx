import { useState } from 'react';
import type { AccountView } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import styles from './connection-sheet.module.css';

interface Props {
  readonly account: AccountView;
  readonly changed: { readonly serverName: string; readonly pinned: string; readonly shown: string };
}

/** Both certificates, to be compared, and the user's word that the new one is right. */
export function ChangedCertificate({ account, changed }: Props) {
  const { text } = useTexts();
  const { remote } = useApp();
  const [isBusy, setBusy] = useState(false);
  const { serverName, pinned, shown } = changed;
  const accept = async () => {
    setBusy(true);
    // What comes of it is told by the registration; a link that is down has its own banner.
    await remote.client
      .call('acceptServerCertificate', { accountId: account.id, sha256: shown })
      .catch(() => undefined);
    setBusy(false);
  };
  return (
    <div className={styles.prints} role="group" aria-label={text('certificate.title')}>
      <p>{text('certificate.meaning', { server: serverName })}</p>
      <dl className={styles.prints}>
        <div>
          <dt>{text('certificate.before')}</dt>
          <dd>{pinned === 'authority' ? text('certificate.before.authority') : <Print value={pinned} />}</dd>
        </div>
        <div>
          <dt>{text('certificate.now')}</dt>
          <dd>
            <Print value={shown} />
          </dd>
        </div>
      </dl>
      <div>
        <Button size="small" isBusy={isBusy} onPress={() => void accept()}>
          {text('certificate.accept')}
        </Button>
      </div>
    </div>
  );
}

/** Lines end between octets, in both at the same ones, so that the eye can compare. */
function Print({ value }: { readonly value: string }) {
  return (
    <span className={styles.print}>
      {value.split(/(?<=:)/).map((octet, index) => (
        <span key={index}>{octet}</span>
      ))}
    </span>
  );
}
