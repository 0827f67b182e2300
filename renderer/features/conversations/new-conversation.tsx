import { useEffect, useRef, useState } from 'react';
import { FieldError, Form, Input, Label, Text, TextField } from 'react-aria-components';
import type { AccountView } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';
import { BridgeCallError } from '../../bridge/client.ts';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { completeAddress } from '../../ui/names.ts';
import styles from './new-conversation.module.css';

interface Props {
  readonly account: AccountView;
  readonly onClose: () => void;
}

/** Begins a conversation with an address. */
export function NewConversation({ account, onClose }: Props) {
  const { text } = useTexts();
  const { remote, screen } = useApp();
  const [typed, setTyped] = useState('');
  const [problem, setProblem] = useState<string>();
  const input = useRef<HTMLInputElement>(null);

  useEffect(() => input.current?.focus(), []);

  const start = async () => {
    const names = account.hasGroups ? typed.split(/[,;]/).filter((name) => name.trim() !== '') : [typed];
    const members = names.map((name) => completeAddress(name, account.domain)).filter((one) => one !== undefined);
    const [peer] = members;
    if (peer === undefined || members.length < names.length) {
      setProblem(text('new.invalid'));
      return;
    }
    try {
      const accountId = account.id;
      const conversation =
        members.length === 1
          ? await remote.client.call('startConversation', { accountId, peer })
          : await remote.client.call('startGroup', { accountId, members });
      screen.getState().select({ accountId: account.id, peer: conversation.peer });
      onClose();
    } catch (error) {
      if (!(error instanceof BridgeCallError)) throw error;
      setProblem(error.message);
    }
  };

  return (
    <Form
      className={styles.form ?? ''}
      validationBehavior="aria"
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      <TextField
        className={styles.field ?? ''}
        value={typed}
        isInvalid={problem !== undefined}
        onChange={(value) => {
          setTyped(value);
          setProblem(undefined);
        }}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onClose();
          else event.continuePropagation();
        }}
      >
        <Label className={styles.label ?? ''}>{text('new.address')}</Label>
        <Input
          ref={input}
          className={styles.input ?? ''}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          placeholder="bob"
        />
        {problem === undefined ? (
          <Text slot="description" className={styles.hint ?? ''}>
            {text('new.hint', { domain: account.domain })} {account.hasGroups && text('new.group')}
          </Text>
        ) : (
          <FieldError className={styles.problem ?? ''}>{problem}</FieldError>
        )}
      </TextField>
      <div className={styles.buttons}>
        <Button size="small" look="quiet" onPress={onClose}>
          {text('new.cancel')}
        </Button>
        <Button size="small" look="primary" type="submit">
          {text('new.start')}
        </Button>
      </div>
    </Form>
  );
}
