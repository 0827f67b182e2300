import { useState } from 'react';
import type { FileView } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { ProofSheet } from '../security/proof-sheet.tsx';

/** Why a file is protected as it is. Keeps showing the last one while it closes. */
export function FileProof({ file, onClose }: { readonly file: FileView | undefined; readonly onClose: () => void }) {
  const { text, moment } = useTexts();
  const [shown, setShown] = useState(file);
  if (file !== undefined && file !== shown) setShown(file);
  const content =
    shown?.evidence === undefined || shown.level === undefined
      ? undefined
      : {
          level: shown.level,
          evidence: shown.evidence,
          subject: { peer: shown.conversation, direction: shown.direction },
          about: text('proof.file', { time: moment(shown.at) }),
          more: hashFact(shown, text),
        };
  return <ProofSheet isOpen={file !== undefined} onClose={onClose} content={content} />;
}

function hashFact({ direction, state, hashChecked }: FileView, text: ReturnType<typeof useTexts>['text']) {
  if (direction === 'out' || state !== 'done') return [];
  return [{ name: text('tech.hash'), value: text(hashChecked === true ? 'tech.hash.checked' : 'tech.hash.weak') }];
}
