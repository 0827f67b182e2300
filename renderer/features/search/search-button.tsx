import { Search } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useRemote } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { SearchDialog } from './search-dialog.tsx';

/** Opens the search, as Ctrl+F, Ctrl+K and their like with Command do. */
export function SearchButton() {
  const { text } = useTexts();
  const isOpenable = useRemote((state) => state.accounts.length > 0);
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    if (!isOpenable) return undefined;
    const onKeyDown = (event: KeyboardEvent) => {
      const isShortcut = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
      if (!isShortcut || !['f', 'k'].includes(event.key.toLowerCase())) return;
      event.preventDefault();
      setOpen(true);
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, [isOpenable]);
  return (
    <>
      <Button
        isIcon
        size="small"
        look="quiet"
        aria-label={text('search.open')}
        isDisabled={!isOpenable}
        onPress={() => setOpen(true)}
      >
        <Search size={17} aria-hidden="true" />
      </Button>
      <SearchDialog isOpen={isOpen} onClose={() => setOpen(false)} />
    </>
  );
}
