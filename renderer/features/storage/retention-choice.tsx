import { useRef, useState } from 'react';
import type { Retention } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';
import { useTexts, type Texts } from '../../i18n/text.tsx';
import { Choice } from '../../ui/choice.tsx';
import { Question } from '../../ui/confirm.tsx';
import styles from './storage.module.css';

const choices: readonly Retention[] = ['for-ever', 365, 90, 30, 7, 1];
const asAccount = 'account';

interface Props {
  readonly accountId: string;
  /** The rule of a conversation; without it that of the account. */
  readonly peer?: string;
  readonly rule: Retention | undefined;
  readonly accountRule: Retention;
}

/** How long messages stay. What would go is said before it goes. */
export function RetentionChoice({ accountId, peer, rule, accountRule }: Props) {
  const { text } = useTexts();
  const { remote } = useApp();
  const [asked, setAsked] = useState<Retention | null>();
  const place = useRef<HTMLDivElement>(null);
  // The question goes; the keyboard goes back to what it was about.
  const focusChoice = () => place.current?.querySelector('button')?.focus();
  const known = rule === undefined || choices.includes(rule) ? choices : [rule, ...choices];
  const options = [
    ...(peer === undefined
      ? []
      : [{ id: asAccount, name: text('retention.account', { rule: retentionWords(accountRule, text) }) }]),
    ...known.map((one) => ({ id: String(one), name: retentionWords(one, text) })),
  ];
  const keep = (chosen: Retention | null) => {
    setAsked(undefined);
    // Fails only with the link, which has its own banner; the old rule stays visible.
    const input = { accountId, keep: chosen, ...(peer === undefined ? {} : { peer }) };
    void remote.client.call('setRetention', input).catch(() => undefined);
  };
  const choose = (id: string) => {
    const chosen = id === asAccount ? null : id === 'for-ever' ? id : Number(id);
    if ((chosen ?? accountRule) === 'for-ever') keep(chosen);
    else setAsked(chosen);
  };
  return (
    <div className={styles.stack}>
      <div ref={place} className={styles.wide}>
        <Choice
          label={text('storage.retention')}
          value={rule === undefined ? asAccount : String(rule)}
          options={options}
          onChoose={choose}
        />
      </div>
      {asked !== undefined && (
        <Question
          label={retentionWords(asked ?? accountRule, text)}
          meaning={`${retentionWords(asked ?? accountRule, text)}. ${text('retention.confirm')}`}
          yes={text('retention.confirm.yes')}
          onYes={() => {
            keep(asked);
            focusChoice();
          }}
          onNo={() => {
            setAsked(undefined);
            focusChoice();
          }}
        />
      )}
    </div>
  );
}

function retentionWords(rule: Retention, text: Texts['text']): string {
  return rule === 'for-ever' ? text('retention.for-ever') : text('retention.days', { days: rule });
}
