import { useEffect, useRef } from 'react';
import type { FileView } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { announce } from '../../ui/announcer.tsx';
import { shortName } from '../../ui/names.ts';
import { percentOf, useFileTexts } from './use-file-texts.ts';

/** Steps of the progress that are said aloud. */
const stepPercent = 25;

/** Has it said aloud what becomes of files, and how far they are in steps. */
export function useFileAnnouncements(): void {
  const { remote } = useApp();
  const { text } = useTexts();
  const texts = useFileTexts();
  const told = useRef(new Map<string, string>()).current;
  useEffect(() => {
    return remote.onFile((file) => {
      const step = stepOf(file);
      const isFirst = !told.has(file.id);
      const now = `${file.state} ${step}`;
      if (told.get(file.id) === now) return;
      told.set(file.id, now);
      const line = lineFor(file, isFirst, step);
      if (line !== undefined) announce(line);
    });

    function lineFor(file: FileView, isFirst: boolean, step: number): string | undefined {
      const { name } = file;
      const peer = shortName(file.conversation);
      if (file.state === 'offered' && file.direction === 'in') {
        const level = file.level === undefined ? '' : text(`level.${file.level}`);
        return text('announce.file.offered', { from: peer, name, level });
      }
      if (file.state === 'transferring' && step > 0) return text('announce.file.percent', { name, percent: step });
      // Left by an earlier run: shown, not said.
      if (isFirst && file.direction === 'in') return undefined;
      return text('announce.file.state', { name, state: texts.state(file) });
    }
  }, [remote, told, text, texts]);
}

function stepOf(file: FileView): number {
  if (file.state !== 'transferring') return 0;
  return Math.floor((percentOf(file) ?? 0) / stepPercent) * stepPercent;
}
