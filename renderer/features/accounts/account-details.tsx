import type { AccountView } from '../../../src/contract/index.ts';
import { useApp, useRemote } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { plainAddress, shortName } from '../../ui/names.ts';
import styles from './account-details.module.css';
import { RegistrationMark } from './registration-mark.tsx';
import { useRegistration } from './use-registration.ts';

/** What is opened beside the details. */
export type AccountSheet = 'storage' | 'connection';

interface Props {
  readonly account: AccountView;
  readonly onSheet: (sheet: AccountSheet) => void;
}

export function AccountDetails({ account, onSheet }: Props) {
  const { text } = useTexts();
  const { screen } = useApp();
  const others = useRemote((state) => state.accounts).filter(({ id }) => id !== account.id);
  const registration = useRegistration(account);
  const facts = [
    ['account.address', plainAddress(account.identity)],
    ['account.signalling', text(`account.signalling.${account.transport ?? 'found'}`)],
    ['account.kms', account.kms === undefined ? text('account.kms.none') : plainAddress(account.kms)],
    ...(account.kms === undefined
      ? []
      : [
          ['account.kms.state', text(`kms.${account.kmsState.state}`)] as const,
          ['account.tickets', account.tickets.explanation] as const,
        ]),
    ['account.policy', text(`policy.${account.policy}`)],
  ] as const;
  return (
    <>
      <dl className={styles.facts}>
        {facts.map(([key, value]) => (
          <div key={key}>
            <dt>{text(key)}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <div className={styles.registration}>
        <RegistrationMark registration={account.registration} />
        {registration.isRegistered ? (
          <Button size="small" isBusy={registration.isBusy} onPress={() => registration.unregister()}>
            {text('account.unregister')}
          </Button>
        ) : (
          <Button size="small" look="primary" isBusy={registration.isBusy} onPress={() => registration.register()}>
            {text('account.register')}
          </Button>
        )}
      </div>
      <div className={styles.sheets}>
        <Button size="small" look="quiet" onPress={() => onSheet('connection')}>
          {text('connection.open')}
        </Button>
        <Button size="small" look="quiet" onPress={() => onSheet('storage')}>
          {text('storage.open')}
        </Button>
      </div>
      {others.length > 0 && (
        <div className={styles.others}>
          <p>{text('account.switch')}</p>
          {others.map((other) => (
            <Button key={other.id} size="small" onPress={() => screen.getState().chooseAccount(other.id)}>
              {other.displayName ?? shortName(other.identity)}
            </Button>
          ))}
        </div>
      )}
    </>
  );
}
