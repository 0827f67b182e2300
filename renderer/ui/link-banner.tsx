import { Unplug } from 'lucide-react';
import { useRemote } from '../app-context.tsx';
import { useTexts } from '../i18n/text.tsx';
import styles from './link-banner.module.css';
import { Progress } from './progress.tsx';

/** Lies over the page while the engine cannot be reached, so that nothing moves when it comes and goes. */
export function LinkBanner() {
  const { text } = useTexts();
  const link = useRemote((state) => state.link);
  return (
    <div className={styles.place} role="status">
      {link === 'down' && (
        <p className={styles.banner}>
          <Unplug size={16} aria-hidden="true" />
          {text('link.down')}
        </p>
      )}
      {link === 'connecting' && (
        <p className={styles.connecting}>
          {text('link.connecting')} <Progress />
        </p>
      )}
    </div>
  );
}
