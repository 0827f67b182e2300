import { ArrowLeft } from 'lucide-react';
import { useState } from 'react';
import { Form } from 'react-aria-components';
import { policy as policySchema, type ContactView, type Policy } from '../../../src/contract/index.ts';
import { useAccount, useApp } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { Choice } from '../../ui/choice.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { Field } from '../../ui/field.tsx';
import { completeAddress, plainAddress } from '../../ui/names.ts';
import styles from './contacts.module.css';
import { TrustHistory } from './trust-history.tsx';

interface Props {
  /** Undefined for a new one. */
  readonly contact: ContactView | undefined;
  readonly onBack: () => void;
  readonly onWrite: (contact: ContactView) => void;
}

type Told = 'account' | 'yes' | 'no';

export function ContactEditor({ contact, onBack, onWrite }: Props) {
  const { text } = useTexts();
  const { remote } = useApp();
  const domain = useAccount()?.domain ?? '';
  const [name, setName] = useState(contact?.name ?? '');
  const [addresses, setAddresses] = useState((contact?.addresses ?? []).map(plainOrTel).join('\n'));
  const [note, setNote] = useState(contact?.note ?? '');
  const [policy, setPolicy] = useState<Policy | 'account'>(contact?.policy ?? 'account');
  const [delivery, setDelivery] = useState(toldOf(contact?.receipts?.delivery));
  const [display, setDisplay] = useState(toldOf(contact?.receipts?.display));
  const [problem, setProblem] = useState<{ readonly field: string; readonly words: string }>();

  const save = async () => {
    const typed = addresses.split(/[\n,;]/).filter((line) => line.trim() !== '');
    const receipts = { ...answer('delivery', delivery), ...answer('display', display) };
    const draft = {
      ...(contact === undefined ? {} : { id: contact.id }),
      ...(contact?.organisation === undefined ? {} : { organisation: contact.organisation }),
      name,
      addresses: typed.map((address) => completeAddress(address, domain) ?? address.trim()),
      ...(note.trim() === '' ? {} : { note }),
      ...(policy === 'account' ? {} : { policy }),
      ...(Object.keys(receipts).length === 0 ? {} : { receipts }),
    };
    try {
      const result = await remote.client.call('putContact', { contact: draft });
      if (result.outcome === 'kept') onBack();
      else setProblem({ field: result.field, words: result.explanation });
    } catch (error) {
      setProblem({ field: 'name', words: error instanceof Error ? error.message : String(error) });
    }
  };
  const about = (field: string) => (problem?.field === field ? problem.words : undefined);
  const told = (['account', 'yes', 'no'] as const).map((id) => ({ id, name: text(`contacts.told.${id}`) }));
  const policies = [
    { id: 'account' as const, name: text('policy.account') },
    ...policySchema.options.map((id) => ({ id, name: text(`policy.${id}`) })),
  ];

  return (
    <>
      <Form
        className={styles.form ?? ''}
        validationBehavior="aria"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <Field label={text('contacts.name')} value={name} onChange={setName} problem={about('name')} />
        <Field
          isLong
          label={text('contacts.addresses')}
          hint={text('contacts.addresses.hint')}
          value={addresses}
          problem={about('addresses')}
          onChange={(value) => {
            setAddresses(value);
            setProblem(undefined);
          }}
        />
        <Field isLong label={text('contacts.note')} value={note} onChange={setNote} problem={about('note')} />
        <Choice label={text('account.policy')} value={policy} options={policies} onChoose={setPolicy} />
        <div className={styles.pair}>
          <Choice label={text('contacts.tell.delivery')} value={delivery} options={told} onChoose={setDelivery} />
          <Choice label={text('contacts.tell.display')} value={display} options={told} onChoose={setDisplay} />
        </div>
        <div className={styles.tools}>
          <Button look="primary" size="small" type="submit">
            {text('contacts.save')}
          </Button>
          {contact !== undefined && (
            <Button size="small" onPress={() => onWrite(contact)}>
              {text('contacts.write')}
            </Button>
          )}
          <Button size="small" look="quiet" onPress={onBack}>
            <ArrowLeft size={15} aria-hidden="true" /> {text('contacts.back')}
          </Button>
        </div>
      </Form>
      {contact !== undefined && <TrustHistory addresses={contact.addresses} name={contact.name} />}
      {contact !== undefined && (
        <div>
          <Confirm
            label={text('contacts.remove')}
            meaning={text('contacts.remove.meaning', { name: contact.name })}
            yes={text('contacts.remove.yes')}
            onYes={() => {
              onBack();
              // Gone already, or the link is down, which has its own banner.
              void remote.client.call('removeContact', { contactId: contact.id }).catch(() => undefined);
            }}
          />
        </div>
      )}
    </>
  );
}

function toldOf(value: boolean | undefined): Told {
  return value === undefined ? 'account' : value ? 'yes' : 'no';
}

function answer(field: 'delivery' | 'display', told: Told) {
  return told === 'account' ? {} : { [field]: told === 'yes' };
}

function plainOrTel(address: string): string {
  return address.startsWith('tel:') ? address : plainAddress(address);
}
