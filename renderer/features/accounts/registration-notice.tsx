import type { AccountView } from '../../../src/contract/index.ts';
import { useAccount } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import styles from './registration-notice.module.css';
import { ChangedCertificate } from './changed-certificate.tsx';
import { RegistrationMark } from './registration-mark.tsx';
import { useRegistration } from './use-registration.ts';

/** At the foot of the list while the account cannot send: why, and the way out. */
export function RegistrationNotice() {
  const account = useAccount();
  const state = account?.registration.state;
  if (account === undefined || (state !== 'failed' && state !== 'unregistered')) return null;
  return <Notice account={account} />;
}

function Notice({ account }: { readonly account: AccountView }) {
  const { text } = useTexts();
  const { isBusy, register } = useRegistration(account);
  const { registration } = account;
  return (
    <section className={styles.notice} role="status">
      <p className={styles.title}>
        <RegistrationMark registration={registration} />
      </p>
      {registration.state === 'failed' ? (
        <p>
          {registration.explanation} {text('registration.unregistered.meaning')}{' '}
          {registration.willRetry === true && text('registration.retry')}
        </p>
      ) : (
        <p>{text('registration.unregistered.meaning')}</p>
      )}
      {registration.state === 'failed' && registration.changedCertificate !== undefined && (
        <ChangedCertificate account={account} changed={registration.changedCertificate} />
      )}
      <Button size="small" isBusy={isBusy} onPress={register}>
        {text('account.register')}
      </Button>
    </section>
  );
}
