import { useState } from 'react';
import type { MessageView } from '../../../src/contract/index.ts';
import { useRemote } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { writerIn } from '../contacts/use-peer-name.ts';
import { ProofSheet } from './proof-sheet.tsx';

/** Why a message is protected as it is. Keeps showing the last one while it closes. */
export function MessageProof({
  message,
  onClose,
}: {
  readonly message: MessageView | undefined;
  readonly onClose: () => void;
}) {
  const { text, moment } = useTexts();
  const [shown, setShown] = useState(message);
  if (message !== undefined && message !== shown) setShown(message);
  const writer = useRemote((state) =>
    shown?.direction === 'in' ? writerIn(state, shown) : (shown?.conversation ?? ''),
  );
  const content =
    shown?.evidence === undefined
      ? undefined
      : {
          level: shown.level,
          evidence: shown.evidence,
          subject: { peer: writer, direction: shown.direction },
          about: text('proof.message', { time: moment(shown.at) }),
          more: [{ name: text('tech.way'), value: text(`tech.way.${shown.way}`) }],
        };
  return <ProofSheet isOpen={message !== undefined} onClose={onClose} content={content} />;
}
