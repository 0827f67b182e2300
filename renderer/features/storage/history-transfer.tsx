import { useRef, useState } from 'react';
import type { ExportOutcome, PickedFile } from '../../../src/contract/index.ts';
import { useApp, useRemote } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { handFile } from '../files/use-send-file.ts';
import styles from './storage.module.css';

interface Props {
  readonly accountId: string;
  /** Of this conversation; of the whole account without it. */
  readonly peer?: string;
}

/** Messages as a file of the user's: to read (HTML), or with everything that is known of them (JSON). */
export function HistoryExport({ accountId, peer }: Props) {
  const { text } = useTexts();
  const { remote } = useApp();
  const [isBusy, setBusy] = useState(false);
  const [said, setSaid] = useState<string>();
  const save = async (format: 'html' | 'json') => {
    setBusy(true);
    setSaid(undefined);
    try {
      const input = { accountId, format, ...(peer === undefined ? {} : { peer }) };
      const outcome = await remote.client.call('exportHistory', input);
      if (outcome.outcome === 'download') download(outcome);
      setSaid(exportWords(outcome, text));
    } catch (error) {
      setSaid(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className={styles.stack}>
      <p>{text('transfer.meaning')}</p>
      <div className={styles.buttons}>
        <Button size="small" isBusy={isBusy} onPress={() => void save('html')}>
          {text('transfer.html')}
        </Button>
        <Button size="small" isBusy={isBusy} onPress={() => void save('json')}>
          {text('transfer.json')}
        </Button>
      </div>
      <p role="status" className={styles.said}>
        {said}
      </p>
    </div>
  );
}

function exportWords(outcome: ExportOutcome, text: ReturnType<typeof useTexts>['text']): string | undefined {
  switch (outcome.outcome) {
    case 'saved':
      return text('transfer.saved', { where: outcome.where });
    case 'download':
      return text('transfer.saved', { where: outcome.name });
    case 'failed':
      return outcome.explanation;
    case 'cancelled':
      return undefined;
  }
}

function download({ path, name }: Extract<ExportOutcome, { outcome: 'download' }>): void {
  const link = document.createElement('a');
  link.href = path;
  link.download = name;
  link.click();
}

/** Takes the messages of an export that was made with all that is known (JSON). */
export function HistoryImport() {
  const { text } = useTexts();
  const { remote } = useApp();
  const { choose } = useRemote((state) => state.files);
  const picker = useRef<HTMLInputElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [lines, setLines] = useState<readonly string[]>([]);
  const take = async (pick: () => Promise<PickedFile | null | undefined>) => {
    setBusy(true);
    setLines([]);
    try {
      const file = await pick();
      if (file === undefined || file === null) return;
      const outcome = await remote.client.call('importHistory', { token: file.token });
      if (outcome.outcome === 'failed') setLines([outcome.explanation]);
      else {
        const { taken, known, leftOut } = outcome;
        setLines([
          text('transfer.imported', { taken, known }),
          ...Object.entries(leftOut).map(([why, count]) => text('transfer.leftOut', { why, count })),
        ]);
      }
    } catch (error) {
      setLines([error instanceof Error ? error.message : String(error)]);
    } finally {
      setBusy(false);
    }
  };
  if (choose === 'none') return null;
  return (
    <div className={styles.stack}>
      <p>{text('transfer.import.meaning')}</p>
      <Button
        size="small"
        isBusy={isBusy}
        onPress={() =>
          choose === 'dialog'
            ? void take(async () => (await remote.client.call('chooseFile', {})).file)
            : picker.current?.click()
        }
      >
        {text('transfer.import')}
      </Button>
      <input
        ref={picker}
        type="file"
        accept=".json,application/json"
        hidden
        data-history
        onChange={({ target }) => {
          const file = target.files?.[0];
          if (file !== undefined) void take(() => handFile(file));
          target.value = '';
        }}
      />
      <div role="status" className={styles.said}>
        {lines.map((line) => (
          <p key={line}>{line}</p>
        ))}
      </div>
    </div>
  );
}
