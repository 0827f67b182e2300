import type { ConversationView } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { shortName } from '../../ui/names.ts';
import { ProofSheet } from './proof-sheet.tsx';

interface Props {
  readonly conversation: ConversationView;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** Why the open session is protected as it is. */
export function SessionProof({ conversation, isOpen, onClose }: Props) {
  const { text } = useTexts();
  const { session, peer } = conversation;
  const content =
    session?.evidence === undefined || session.level === undefined
      ? undefined
      : {
          level: session.level,
          evidence: session.evidence,
          subject: { peer, direction: 'session' as const },
          about: text('proof.session', { peer: shortName(peer) }),
          more: [],
        };
  return <ProofSheet isOpen={isOpen} onClose={onClose} content={content} />;
}
