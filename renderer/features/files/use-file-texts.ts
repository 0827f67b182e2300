import type { FileView } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { shortName } from '../../ui/names.ts';

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** What a file is and what becomes of it, in words. */
export function useFileTexts() {
  const { text, intl } = useTexts();

  const size = (octets: number): string => {
    const step = Math.min(Math.floor(Math.log10(Math.max(octets, 1)) / 3), units.length - 1);
    const options = {
      style: 'unit',
      unit: units[step] ?? 'byte',
      unitDisplay: step === 0 ? 'long' : 'short',
      maximumFractionDigits: 1,
    } as const;
    return intl.formatNumber(octets / 1000 ** step, options);
  };

  const state = (file: FileView): string => {
    const peer = shortName(file.conversation);
    const { direction } = file;
    switch (file.state) {
      case 'preparing':
        return text('file.state.preparing');
      case 'offered':
        return text(`file.state.offered.${direction}`, { peer });
      case 'waiting':
        return text('file.state.waiting', { peer });
      case 'transferring': {
        const done = size(file.transferred);
        if (file.size === undefined) return text(`file.state.transferring.${direction}`, { done });
        return text(`file.state.transferring.of.${direction}`, { done, size: size(file.size) });
      }
      case 'paused':
        return text(file.problem?.code === 'consent-required' ? 'file.state.asks' : 'file.state.paused');
      case 'interrupted':
        return text('file.state.interrupted');
      case 'done':
        if (direction === 'out') return text('file.state.done.out', { peer });
        return text(file.hashChecked === false ? 'file.state.done.unchecked' : 'file.state.done.in');
      case 'cancelled':
        return text('file.state.cancelled');
      case 'declined':
        return text(
          direction === 'out' || file.problem !== undefined ? 'file.state.declined.peer' : 'file.state.declined',
          {
            peer,
          },
        );
      case 'failed':
        return text('file.state.failed');
    }
  };

  return { size, state };
}

/** How much is there, from 0 to 100; undefined where the size is not known. */
export function percentOf({ transferred, size }: FileView): number | undefined {
  if (size === undefined) return undefined;
  return size === 0 ? 100 : Math.min(100, Math.floor((transferred / size) * 100));
}
