import { Search as SearchIcon, X } from 'lucide-react';
import { useState } from 'react';
import {
  Autocomplete,
  Dialog,
  Input,
  ListBox,
  ListBoxItem,
  Modal,
  ModalOverlay,
  SearchField,
} from 'react-aria-components';
import { maxSearchLength, type SearchHit } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { useFirstFocus } from '../../ui/use-first-focus.ts';
import { useConversationName } from '../contacts/use-peer-name.ts';
import { hasLevel } from '../conversations/message-facts.ts';
import { LevelBadge } from '../security/level-mark.tsx';
import { excerptOf } from './excerpt.ts';
import styles from './search.module.css';
import { useSearch } from './use-search.ts';

interface Props {
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** Searches what was said in all conversations, and opens the one that is chosen where it was said. */
export function SearchDialog({ isOpen, onClose }: Props) {
  const { text } = useTexts();
  return (
    <ModalOverlay
      className={styles.overlay ?? ''}
      isDismissable
      isOpen={isOpen}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
    >
      <Modal className={styles.modal ?? ''}>
        <Dialog className={styles.dialog ?? ''} aria-label={text('search.title')}>
          <SearchContent onClose={onClose} />
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

function SearchContent({ onClose }: { readonly onClose: () => void }) {
  const { text } = useTexts();
  const { screen } = useApp();
  const [typed, setTyped] = useState('');
  const input = useFirstFocus<HTMLInputElement>();
  const { found, problem, more } = useSearch(typed);
  const hits = found?.hits ?? [];
  const open = (id: string) => {
    const message = hits.find((hit) => keyOf(hit) === id)?.message;
    if (message === undefined) return;
    onClose();
    const { accountId, conversation: peer } = message;
    // After the dialog has given the focus back.
    setTimeout(() => screen.getState().goTo({ accountId, peer }, message.id));
  };
  return (
    <Autocomplete inputValue={typed} onInputChange={setTyped}>
      <div className={styles.bar}>
        <SearchIcon size={17} aria-hidden="true" />
        <SearchField className={styles.field ?? ''} aria-label={text('search.label')}>
          <Input
            ref={input}
            className={styles.input ?? ''}
            maxLength={maxSearchLength}
            placeholder={text('search.label')}
          />
        </SearchField>
        <Button isIcon size="small" look="quiet" aria-label={text('sheet.close')} onPress={onClose}>
          <X size={17} aria-hidden="true" />
        </Button>
      </div>
      <p className={styles.status} role="status">
        {problem ??
          (found === undefined
            ? text('search.hint')
            : hits.length === 0
              ? text('search.none')
              : text('search.count', { count: hits.length, more: found.next === undefined ? 'no' : 'yes' }))}
      </p>
      <ListBox
        className={styles.results ?? ''}
        aria-label={text('search.results')}
        items={hits.map((hit) => ({ id: keyOf(hit), hit }))}
        selectionMode="none"
        onAction={(id) => open(String(id))}
      >
        {({ id, hit }) => <Result id={id} hit={hit} />}
      </ListBox>
      {found?.next !== undefined && (
        <div className={styles.more}>
          <Button size="small" look="quiet" onPress={more}>
            {text('search.more')}
          </Button>
        </div>
      )}
    </Autocomplete>
  );
}

function Result({ id, hit }: { readonly id: string; readonly hit: SearchHit }) {
  const { text, intl } = useTexts();
  const { message } = hit;
  const peer = useConversationName(message.conversation);
  const who = message.direction === 'out' ? text('search.to', { peer }) : peer;
  const when = intl.formatDate(message.at, { dateStyle: 'medium', timeStyle: 'short' });
  const level = hasLevel(message) ? text(`level.${message.level}`) : '';
  const excerpt = excerptOf(hit);
  const words = excerpt.map((piece) => piece.text).join('');
  return (
    <ListBoxItem id={id} className={styles.result ?? ''} textValue={`${who}. ${when}. ${level} ${words}`}>
      <span className={styles.line}>
        <strong className={styles.who}>{who}</strong>
        {hasLevel(message) && <LevelBadge level={message.level} isShort />}
        <span className={styles.when}>{when}</span>
      </span>
      <span className={styles.text} dir="auto">
        {excerpt.map((piece, index) => (piece.isFound ? <mark key={index}>{piece.text}</mark> : piece.text))}
      </span>
    </ListBoxItem>
  );
}

/** Ids are unique within an account. */
function keyOf({ message: { accountId, id } }: SearchHit): string {
  return `${accountId} ${id}`;
}
