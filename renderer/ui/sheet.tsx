import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components';
import { useTexts } from '../i18n/text.tsx';
import { Button } from './button.tsx';
import styles from './sheet.module.css';

interface Props {
  readonly isOpen: boolean;
  readonly onClose: () => void;
  readonly title: string;
  /** What this is about, in a line. */
  readonly about?: string | undefined;
  readonly children: ReactNode;
}

/** A sheet over the right side of the window, left by Escape, by its button or by a press beside it. */
export function Sheet({ isOpen, onClose, title, about, children }: Props) {
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
        <Dialog className={styles.dialog ?? ''}>
          <header className={styles.header}>
            <div className={styles.titles}>
              <Heading slot="title" className={styles.title ?? ''}>
                {title}
              </Heading>
              {about !== undefined && <p className={styles.about}>{about}</p>}
            </div>
            <Button isIcon look="quiet" slot="close" aria-label={text('sheet.close')}>
              <X size={18} aria-hidden="true" />
            </Button>
          </header>
          {/* Long ones are scrolled by keyboard too, whatever is in them. */}
          {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a place that scrolls has to be reached */}
          <div className={styles.body} role="region" aria-label={title} tabIndex={0}>
            {children}
          </div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

/** A part of a sheet under a heading of its own. */
export function SheetPart({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section>
      <h3 className={styles.caption}>{title}</h3>
      {children}
    </section>
  );
}
