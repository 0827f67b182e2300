import type { ReactNode } from 'react';
import { I18nProvider } from 'react-aria-components';
import { IntlProvider, useIntl, type IntlShape } from 'react-intl';
import { en, type TextKey } from './en.ts';

/** The user's own English where there is one (it decides how dates are written), as the texts are English. */
const locale = navigator.languages.find((language) => /^en\b/.test(language)) ?? 'en';

export function TextProvider({ children }: { readonly children: ReactNode }) {
  return (
    <IntlProvider locale={locale} defaultLocale="en" messages={en}>
      <I18nProvider locale={locale}>{children}</I18nProvider>
    </IntlProvider>
  );
}

type Values = Readonly<Record<string, string | number>>;

export interface Texts {
  readonly intl: IntlShape;
  readonly text: (key: TextKey, values?: Values) => string;
  /** Time of day of a moment in milliseconds. */
  readonly time: (at: number) => string;
  /** Time of day to the second. */
  readonly clock: (at: number) => string;
  /** Day, and time of day to the second. */
  readonly moment: (at: number) => string;
}

/** Texts of the catalogue and times, in the user's language and habits. */
export function useTexts(): Texts {
  const intl = useIntl();
  return {
    intl,
    text: (key, values) => intl.formatMessage({ id: key }, values),
    time: (at) => intl.formatTime(at, { hour: '2-digit', minute: '2-digit' }),
    clock: (at) => intl.formatTime(at, { timeStyle: 'medium' }),
    moment: (at) => intl.formatDate(at, { dateStyle: 'medium', timeStyle: 'medium' }),
  };
}
