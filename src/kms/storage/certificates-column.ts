import type { StoredUser } from '../ports.ts';

/** `certificates` of a user as a column: JSON, or nothing. */
export const certificatesText = ({ certificates }: Pick<StoredUser, 'certificates'>): string | null =>
  certificates === undefined ? null : JSON.stringify(certificates);

export const certificatesOf = (text: string | null): Pick<StoredUser, 'certificates'> =>
  text === null ? {} : { certificates: JSON.parse(text) as 'any' | readonly string[] };
