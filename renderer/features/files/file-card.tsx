import { memo, useId } from 'react';
import type { FileView } from '../../../src/contract/index.ts';
import { useRemote } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { classes } from '../../ui/class-names.ts';
import { Spoken } from '../../ui/spoken.tsx';
import { ProofMark } from '../conversations/proof-mark.tsx';
import { LevelBadge } from '../security/level-mark.tsx';
import styles from './file-card.module.css';
import { FileIcon } from './file-icon.tsx';
import { percentOf, useFileTexts } from './use-file-texts.ts';
import { useFileActions } from './use-file-actions.ts';

interface Props {
  readonly file: FileView;
  readonly sender: string;
  readonly isReachable: boolean;
  readonly onReach: (id: string) => void;
  readonly onProof: (file: FileView) => void;
}

/** A file in the conversation. Its parts keep their places whatever becomes of it, so that nothing jumps. */
export const FileCard = memo(function FileCard(props: Props) {
  const { file, sender } = props;
  const { text } = useTexts();
  const texts = useFileTexts();
  const { act, problem, isBusy } = useFileActions(file);
  const nameId = useId();
  const percent = percentOf(file);
  const isMoving = ['waiting', 'transferring', 'paused', 'interrupted'].includes(file.state);
  return (
    <li className={styles.item}>
      <div className={classes(styles.card, styles[file.direction])} role="group" aria-labelledby={nameId} data-file>
        <div className={styles.head}>
          <FileIcon file={file} />
          <div className={styles.facts}>
            <p className={styles.name} id={nameId}>
              <Spoken>{text('file.spoken', { sender })} </Spoken>
              <bdi>{shownName(file.name)}</bdi>
            </p>
            <p className={styles.about}>
              {file.size !== undefined && <span>{texts.size(file.size)}</span>}
              <bdi className={styles.type}>{file.type}</bdi>
            </p>
          </div>
        </div>
        <div className={styles.row}>
          <p className={styles.state}>{texts.state(file)}</p>
          <Actions file={file} nameId={nameId} act={act} isBusy={isBusy} />
        </div>
        <div className={classes(styles.track, !isMoving && styles.still)}>
          {isMoving && percent !== undefined && (
            <div
              role="progressbar"
              aria-labelledby={nameId}
              aria-valuemin={0}
              aria-valuemax={100}
              aria-valuenow={percent}
              aria-valuetext={texts.state(file)}
              className={styles.bar}
            >
              <i style={{ inlineSize: `${percent}%` }} />
            </div>
          )}
        </div>
        {file.problem !== undefined && <p className={styles.problem}>{file.problem.explanation}</p>}
        {problem !== undefined && (
          <p className={styles.problem} role="alert">
            {problem}
          </p>
        )}
        {file.storedAt !== undefined && <StoredAt path={file.storedAt} />}
      </div>
      <Caption {...props} />
    </li>
  );
});

/** A shell that cannot open the folder says where the file is. */
function StoredAt({ path }: { readonly path: string }) {
  const { text } = useTexts();
  const canShow = useRemote((state) => state.files.show);
  if (canShow) return null;
  return (
    <p className={styles.stored}>
      {text('file.storedAt')} <bdi>{path}</bdi>
    </p>
  );
}

interface ActionsProps extends Pick<ReturnType<typeof useFileActions>, 'act' | 'isBusy'> {
  readonly file: FileView;
  readonly nameId: string;
}

function Actions({ file, nameId, act, isBusy }: ActionsProps) {
  const { text } = useTexts();
  const canShow = useRemote((state) => state.files.show);
  const { direction, state, storedAt } = file;
  const offered = state === 'paused' && file.problem?.code === 'consent-required' ? file.problem.offered : undefined;
  const button = (action: Parameters<typeof act>[0], words: string, look: 'primary' | 'plain' | 'quiet' = 'plain') => (
    <Button size="small" look={look} isBusy={isBusy} aria-describedby={nameId} onPress={() => void act(action)}>
      {words}
    </Button>
  );
  const isOver = ['done', 'cancelled', 'declined', 'failed'].includes(state);
  const isAsked = direction === 'in' && state === 'offered';
  return (
    <div className={styles.buttons}>
      {isAsked && button('acceptFile', text('file.accept'), 'primary')}
      {isAsked && button('declineFile', text('file.decline'))}
      {state === 'transferring' && button('pauseFile', text('file.pause'))}
      {offered !== undefined && (
        <Button
          size="small"
          look="primary"
          isBusy={isBusy}
          aria-describedby={nameId}
          onPress={() => void act('resumeFile', { consent: true })}
        >
          {/* End-to-end is never less than what was asked for, so it is never offered; the type allows it. */}
          {text(`refusal.consent.${offered === 'e2e' ? 'e2ae' : offered}`)}
        </Button>
      )}
      {(state === 'paused' || state === 'interrupted') &&
        offered === undefined &&
        button('resumeFile', text('file.resume'))}
      {!isOver && !isAsked && button('cancelFile', text('file.cancel'), 'quiet')}
      {state === 'done' && storedAt !== undefined && canShow && button('showFile', text('file.show'))}
    </div>
  );
}

/** How it is protected, with the proof once there is one; before, how it can be at best. */
function Caption({ file, isReachable, onReach, onProof }: Props) {
  const { text, time } = useTexts();
  const { level, evidence, direction, state } = file;
  return (
    <div className={classes(styles.caption, direction === 'out' && styles.outCaption)} data-caption>
      {level !== undefined && evidence !== undefined && (
        <ProofMark
          level={level}
          isReachable={isReachable}
          onReach={() => onReach(file.id)}
          onProof={() => onProof(file)}
        />
      )}
      {level !== undefined && evidence === undefined && state === 'offered' && (
        <span className={styles.best}>
          {text('file.atBest')} <LevelBadge level={level} />
        </span>
      )}
      <time dateTime={new Date(file.at).toISOString()}>{time(file.at)}</time>
    </div>
  );
}

/** Nothing in a name may hide or reorder what stands beside it. */
function shownName(name: string): string {
  return name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}
