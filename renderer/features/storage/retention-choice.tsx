import { useState } from 'react';
import type { Retention } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';
import { useTexts, type Texts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { Choice } from '../../ui/choice.tsx';
import styles from './storage.module.css';
import confirm from '../../ui/confirm.module.css';

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
      <div className={styles.wide}>
        <Choice
          label={text('storage.retention')}
          value={rule === undefined ? asAccount : String(rule)}
          options={options}
          onChoose={choose}
        />
      </div>
      {asked !== undefined && (
        <div className={confirm.question} role="group" aria-label={retentionWords(asked ?? accountRule, text)}>
          <p role="alert">
            {retentionWords(asked ?? accountRule, text)}. {text('retention.confirm')}
          </p>
          <div className={confirm.buttons}>
            <Button size="small" look="primary" onPress={() => keep(asked)}>
              {text('retention.confirm.yes')}
            </Button>
            <Button size="small" autoFocus onPress={() => setAsked(undefined)}>
              {text('retention.cancel')}
            </Button>
          </div>
        </div>
      )}
    </div>
  );
}

function retentionWords(rule: Retention, text: Texts['text']): string {
  return rule === 'for-ever' ? text('retention.for-ever') : text('retention.days', { days: rule });
}
