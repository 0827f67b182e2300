import { ChevronRight } from 'lucide-react';
import { Button as AriaButton, Disclosure, DisclosurePanel, Heading } from 'react-aria-components';
import type { Evidence, ProtectionLevel } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { classes } from '../../ui/class-names.ts';
import { plainAddress } from '../../ui/names.ts';
import { Sheet } from '../../ui/sheet.tsx';
import { useConversationName } from '../contacts/use-peer-name.ts';
import { TrustHistory } from '../contacts/trust-history.tsx';
import { FactList, type Fact } from './fact-list.tsx';
import { LevelBadge } from './level-mark.tsx';
import styles from './proof-sheet.module.css';
import { ReachDiagram } from './reach-diagram.tsx';
import { usePlainFacts, useTechnicalFacts, type ProofSubject } from './use-facts.ts';

interface Props {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly content: ProofContentProps | undefined;
}

/** The sheet that tells why something is protected as it is. */
export function ProofSheet({ isOpen, onClose, content }: Props) {
  const { text } = useTexts();
  return (
    <Sheet
      isOpen={isOpen && content !== undefined}
      onClose={onClose}
      title={content === undefined ? '' : text(`proof.title.${content.level}`)}
      about={content?.about}
    >
      {content !== undefined && <ProofContent {...content} />}
    </Sheet>
  );
}

interface ProofContentProps {
  readonly level: ProtectionLevel;
  readonly evidence: Evidence;
  readonly subject: ProofSubject;
  /** What this is about, in a line. */
  readonly about: string;
  /** Technical facts that are not in the evidence. */
  readonly more: readonly Fact[];
}

function ProofContent({ level, evidence, subject, more }: ProofContentProps) {
  const { text } = useTexts();
  const name = useConversationName(subject.peer);
  const facts = usePlainFacts(evidence, subject);
  const technical = [...useTechnicalFacts(evidence), ...more];
  const isProven = level === 'e2e' || level === 'e2ae';
  const kms = 'kms' in evidence ? plainAddress(evidence.kms) : '';
  return (
    <>
      <section className={classes(styles.verdict, styles[level])}>
        <p className={styles.level}>
          <LevelBadge level={level} />
        </p>
        <ReachDiagram level={level} peer={name} />
        <p>{text(`verdict.${level}`, { peer: name, kms })}</p>
      </section>
      <section>
        <h3 className={styles.caption}>{text(isProven ? 'proof.facts' : 'proof.facts.none')}</h3>
        <FactList facts={facts} />
      </section>
      {evidence.notProtected.length > 0 && (
        <section>
          <h3 className={styles.caption}>{text('proof.notProtected')}</h3>
          <ul className={styles.open}>
            {evidence.notProtected.map((item) => (
              <li key={item}>{item}</li>
            ))}
          </ul>
        </section>
      )}
      <TrustHistory addresses={[subject.peer]} name={name} />
      <Disclosure className={styles.technical ?? ''}>
        <Heading level={3}>
          <AriaButton slot="trigger" className={styles.trigger ?? ''}>
            <ChevronRight size={15} aria-hidden="true" />
            {text('proof.technical')}
          </AriaButton>
        </Heading>
        <DisclosurePanel className={styles.panel ?? ''}>
          <FactList facts={technical} isTechnical />
        </DisclosurePanel>
      </Disclosure>
    </>
  );
}
