import { Check, ChevronDown } from 'lucide-react';
import { Button, ListBox, ListBoxItem, Popover, Select, SelectValue } from 'react-aria-components';
import { policy as policySchema, type ConversationView, type Policy } from '../../../src/contract/index.ts';
import { useAccount, useApp, useRemote } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { useConversationName } from '../contacts/use-peer-name.ts';
import styles from './policy-select.module.css';

const asAccount = 'account';

/** What the user demands for this contact; holds for every message until changed. */
export function PolicySelect({ conversation }: { readonly conversation: ConversationView }) {
  const { text } = useTexts();
  const { remote } = useApp();
  const account = useAccount();
  const isUp = useRemote((state) => state.link === 'up');
  const { accountId, peer } = conversation;
  const name = useConversationName(peer);
  const accountPolicy = account?.policy ?? 'prefer-e2e';
  const choose = (chosen: Policy | null) =>
    // Fails only with the link, which has its own banner; the old choice stays visible.
    void remote.client.call('setContactPolicy', { accountId, peer, policy: chosen }).catch(() => undefined);

  return (
    <Select
      aria-label={text('policy.label', { peer: name })}
      isDisabled={!isUp}
      value={conversation.policy ?? asAccount}
      onChange={(key) => {
        const chosen = policySchema.safeParse(key);
        choose(chosen.success ? chosen.data : null);
      }}
    >
      <Button className={styles.button ?? ''}>
        <SelectValue className={styles.value ?? ''}>
          {text(`policy.${conversation.policy ?? accountPolicy}`)}
        </SelectValue>
        <ChevronDown size={14} aria-hidden="true" />
      </Button>
      <Popover className={styles.popover ?? ''} placement="top start" offset={8}>
        <ListBox className={styles.list ?? ''}>
          <Option
            id={asAccount}
            name={text('policy.account')}
            meaning={text('policy.account.meaning', { policy: text(`policy.${accountPolicy}`) })}
          />
          {policySchema.options.map((one) => (
            <Option key={one} id={one} name={text(`policy.${one}`)} meaning={text(`policy.${one}.meaning`)} />
          ))}
        </ListBox>
      </Popover>
    </Select>
  );
}

interface OptionProps {
  readonly id: string;
  readonly name: string;
  readonly meaning: string;
}

function Option({ id, name, meaning }: OptionProps) {
  return (
    <ListBoxItem id={id} textValue={name} className={styles.option ?? ''}>
      {({ isSelected }) => (
        <>
          <span className={styles.check}>{isSelected && <Check size={15} aria-hidden="true" />}</span>
          <span className={styles.name}>{name}</span>
          <span className={styles.meaning}>{meaning}</span>
        </>
      )}
    </ListBoxItem>
  );
}
