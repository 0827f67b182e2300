import { Clock, KeyRound, TriangleAlert } from 'lucide-react';
import { useEffect, useRef } from 'react';
import type { AccountView, KmsState } from '../../../src/contract/index.ts';
import { useAccount } from '../../app-context.tsx';
import { useTexts, type Texts } from '../../i18n/text.tsx';
import { announce } from '../../ui/announcer.tsx';
import { Button } from '../../ui/button.tsx';
import styles from './kms-notice.module.css';
import { useKmsRetry } from './use-kms-retry.ts';

/** Under the account while keys cannot be had, or its clock is wrong: what happened, what it means, what can be done. */
export function KmsNotice() {
  const account = useAccount();
  useKmsAnnouncements(account?.kmsState);
  if (account === undefined) return null;
  const { state, clockOffsetSeconds } = account.kmsState;
  if (state === 'unreachable' || state === 'refused' || state === 'bootstrapping') return <Notice account={account} />;
  return clockOffsetSeconds === undefined ? null : <ClockNotice seconds={clockOffsetSeconds} />;
}

function Notice({ account }: { readonly account: AccountView }) {
  const { text, intl } = useTexts();
  const { state, explanation, nextAttempt, clockOffsetSeconds } = account.kmsState;
  const { isBusy, retry } = useKmsRetry(account);
  const title = text(`kms.${state}`);
  const at = (moment: number) => intl.formatTime(moment, { timeStyle: 'medium' });
  return (
    <section className={styles.notice} aria-label={title}>
      <p className={styles.title}>
        {state === 'bootstrapping' ? (
          <KeyRound size={14} aria-hidden="true" />
        ) : (
          <TriangleAlert size={14} className={styles.warning} aria-hidden="true" />
        )}
        {title}
      </p>
      <p>
        {explanation} {nextAttempt !== undefined && text('kms.next', { time: at(nextAttempt) })}
      </p>
      {clockOffsetSeconds !== undefined && <p>{clockWords(clockOffsetSeconds, text)}</p>}
      {state !== 'bootstrapping' && (
        <Button size="small" isBusy={isBusy} onPress={retry}>
          {text('kms.retry')}
        </Button>
      )}
    </section>
  );
}

function ClockNotice({ seconds }: { readonly seconds: number }) {
  const { text } = useTexts();
  return (
    <section className={styles.notice} aria-label={text('kms.clock')}>
      <p className={styles.title}>
        <Clock size={14} className={styles.warning} aria-hidden="true" />
        {text('kms.clock')}
      </p>
      <p>{clockWords(seconds, text)}</p>
    </section>
  );
}

function clockWords(seconds: number, text: Texts['text']): string {
  const minutes = Math.round(Math.abs(seconds) / 60);
  return text(seconds > 0 ? 'kms.clock.behind' : 'kms.clock.ahead', { minutes });
}

/** Said once for each change; the time of the next attempt changes too often to be said. */
function useKmsAnnouncements(kms: KmsState | undefined): void {
  const { text } = useTexts();
  const told = useRef<KmsState['state']>(undefined);
  const { state, explanation } = kms ?? {};
  useEffect(() => {
    const before = told.current;
    told.current = state;
    if (state === undefined || state === before || state === 'bootstrapping') return;
    if (state === 'unreachable' || state === 'refused') announce(`${text(`kms.${state}`)}. ${explanation ?? ''}`);
    else if (before === 'unreachable' || before === 'refused') announce(text('kms.back'));
  }, [state, explanation, text]);
}
