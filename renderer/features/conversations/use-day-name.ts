import { useTexts } from '../../i18n/text.tsx';
import { startOfDay } from './grouping.ts';
import { useToday } from './use-today.ts';

/** Names days as people do: today, yesterday, else weekday and date. */
export function useDayName(): (start: number) => string {
  const { intl, text } = useTexts();
  const today = useToday();
  return (start) => {
    if (start === today) return text('conversation.today');
    if (start === startOfDay(today - 1)) return text('conversation.yesterday');
    const isThisYear = new Date(start).getFullYear() === new Date(today).getFullYear();
    return intl.formatDate(start, {
      weekday: 'long',
      day: 'numeric',
      month: 'long',
      ...(isThisYear ? {} : { year: 'numeric' }),
    });
  };
}
