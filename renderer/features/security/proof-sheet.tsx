import { ChevronRight, X } from 'lucide-react';
import {
  Button as AriaButton,
  Dialog,
  Disclosure,
  DisclosurePanel,
  Heading,
  Modal,
  ModalOverlay,
} from 'react-aria-components';
import type { Evidence, ProtectionLevel } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { classes } from '../../ui/class-names.ts';
import { plainAddress, shortName } from '../../ui/names.ts';
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
  return (
    <ModalOverlay
      className={styles.overlay ?? ''}
      isDismissable
      isOpen={isOpen && content !== undefined}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
    >
      <Modal className={styles.modal ?? ''}>
        <Dialog className={styles.dialog ?? ''}>{content !== undefined && <ProofContent {...content} />}</Dialog>
      </Modal>
    </ModalOverlay>
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

function ProofContent({ level, evidence, subject, about, more }: ProofContentProps) {
  const { text } = useTexts();
  const facts = usePlainFacts(evidence, subject);
  const technical = [...useTechnicalFacts(evidence), ...more];
  const isProven = level === 'e2e' || level === 'e2ae';
  const kms = 'kms' in evidence ? plainAddress(evidence.kms) : '';
  return (
    <>
      <header className={styles.header}>
        <div className={styles.titles}>
          <Heading slot="title" className={styles.title ?? ''}>
            {text(`proof.title.${level}`)}
          </Heading>
          <p className={styles.about}>{about}</p>
        </div>
        <Button isIcon look="quiet" slot="close" aria-label={text('proof.close')}>
          <X size={18} aria-hidden="true" />
        </Button>
      </header>
      <div className={styles.body}>
        <section className={classes(styles.verdict, styles[level])}>
          <p className={styles.level}>
            <LevelBadge level={level} />
          </p>
          <ReachDiagram level={level} peer={shortName(subject.peer)} />
          <p>{text(`verdict.${level}`, { peer: shortName(subject.peer), kms })}</p>
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
      </div>
    </>
  );
}
