import { useRef, useState } from 'react';
import { GridList, GridListItem } from 'react-aria-components';
import { maxCardCharacters, type AccountView, type ContactView } from '../../../src/contract/index.ts';
import { useApp, useRemote } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { plainAddress } from '../../ui/names.ts';
import { saveText } from '../../ui/save-text.ts';
import { Tile } from '../../ui/tile.tsx';
import styles from './contacts.module.css';

interface Props {
  readonly account: AccountView;
  /** Of a contact by its id, or `new`. */
  readonly onEdit: (id: string) => void;
}

export function ContactList({ account, onEdit }: Props) {
  const { text } = useTexts();
  const { remote } = useApp();
  const contacts = useRemote((state) => state.contacts);
  const cards = useCards();
  const { presence } = account;
  return (
    <>
      <div className={styles.tools}>
        <Button size="small" look="primary" onPress={() => onEdit('new')}>
          {text('contacts.new')}
        </Button>
        <Button size="small" onPress={cards.choose}>
          {text('contacts.import')}
        </Button>
        <Button size="small" isDisabled={contacts.length === 0} onPress={cards.save}>
          {text('contacts.export')}
        </Button>
        {cards.input}
      </div>
      <div role="status" className={styles.status}>
        {cards.report}
      </div>
      {contacts.length === 0 ? (
        <p className={styles.empty}>{text('contacts.empty')}</p>
      ) : (
        <GridList
          className={styles.list ?? ''}
          aria-label={text('contacts.title')}
          items={contacts}
          dependencies={[account]}
          onAction={(id) => onEdit(String(id))}
        >
          {(contact) => <Row id={contact.id} contact={contact} account={account} />}
        </GridList>
      )}
      {presence !== undefined && (
        <div className={styles.presence}>
          <Button
            size="small"
            aria-pressed={presence.watches}
            onPress={() =>
              // Fails only with the link, which has its own banner.
              void remote.client
                .call('setPresence', { accountId: account.id, watches: !presence.watches })
                .catch(() => undefined)
            }
          >
            {text(presence.watches ? 'presence.off' : 'presence.on')}
          </Button>
          <p>{text('presence.meaning')}</p>
        </div>
      )}
    </>
  );
}

interface RowProps {
  readonly id: string;
  readonly contact: ContactView;
  readonly account: AccountView;
}

function Row({ id, contact, account }: RowProps) {
  const { text } = useTexts();
  const { name, addresses, policy } = contact;
  const presence = useRemote((state) =>
    state.presence.find(({ accountId, peer }) => accountId === account.id && addresses.includes(peer)),
  );
  const isTold = account.presence?.watches === true && presence?.watch === 'active' && presence.state !== 'unknown';
  const said = isTold ? text('presence.said', { state: text(`presence.state.${presence.state}`) }) : undefined;
  const address = addresses.map(plainAddress).join(', ');
  const demanded = policy === undefined ? undefined : text(`policy.${policy}`);
  return (
    <GridListItem
      id={id}
      className={styles.row ?? ''}
      textValue={[name, address, demanded, said].filter((part) => part !== undefined).join('. ')}
    >
      <Tile name={name} size="small" />
      <span className={styles.body}>
        <strong>{name}</strong>
        <span className={styles.address}>{address}</span>
      </span>
      <span className={styles.facts}>
        {demanded !== undefined && <span>{demanded}</span>}
        {said !== undefined && <span>{said}</span>}
      </span>
    </GridListItem>
  );
}

/** vCard files: read by the page, and saved by it. */
function useCards() {
  const { text } = useTexts();
  const { remote } = useApp();
  const picker = useRef<HTMLInputElement>(null);
  const [lines, setLines] = useState<readonly string[]>([]);
  const take = async (file: File | undefined) => {
    if (file === undefined) return;
    if (file.size > maxCardCharacters) {
      setLines([text('contacts.import.large')]);
      return;
    }
    try {
      const report = await remote.client.call('importContacts', { cards: await file.text() });
      const { added, updated, unchanged, refused } = report;
      setLines([
        text('contacts.import.done', { added, updated, unchanged }),
        ...refused.map(({ line, why }) => text('contacts.import.refused', { line, why })),
      ]);
    } catch (error) {
      setLines([error instanceof Error ? error.message : String(error)]);
    }
  };
  return {
    choose: () => picker.current?.click(),
    save: () =>
      // Fails only with the link, which has its own banner.
      void remote.client
        .call('exportContacts', {})
        .then(({ cards }) => saveText('contacts.vcf', 'text/vcard', cards))
        .catch(() => undefined),
    report:
      lines.length === 0 ? null : (
        <ul className={styles.report}>
          {lines.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      ),
    input: (
      <input
        ref={picker}
        type="file"
        accept=".vcf,text/vcard"
        hidden
        data-cards
        onChange={(event) => {
          void take(event.target.files?.[0]);
          event.target.value = '';
        }}
      />
    ),
  };
}
