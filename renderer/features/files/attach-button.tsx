import { Paperclip } from 'lucide-react';
import { useRef } from 'react';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';

interface Props {
  readonly choose: 'dialog' | 'upload' | 'none';
  readonly isDisabled: boolean;
  readonly onChoose: () => void;
  readonly onFiles: (files: readonly File[]) => void;
}

/** Chooses a file to send: in the shell's dialog, or in the browser's. */
export function AttachButton({ choose, isDisabled, onChoose, onFiles }: Props) {
  const { text } = useTexts();
  const input = useRef<HTMLInputElement>(null);
  if (choose === 'none') return null;
  return (
    <>
      <Button
        isIcon
        size="small"
        look="quiet"
        aria-label={text('file.attach')}
        isDisabled={isDisabled}
        onPress={() => (choose === 'dialog' ? onChoose() : input.current?.click())}
      >
        <Paperclip size={17} aria-hidden="true" />
      </Button>
      {choose === 'upload' && (
        <input
          ref={input}
          type="file"
          hidden
          multiple
          data-upload
          onChange={({ target }) => {
            const files = [...(target.files ?? [])];
            // The same file can be chosen again.
            target.value = '';
            if (files.length > 0) onFiles(files);
          }}
        />
      )}
    </>
  );
}
