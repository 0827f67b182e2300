export { vcardLimits } from './limits.ts';
export { parameterValues, type VCardProperty } from './property.ts';
export { readVCards, type VCard, type VCardFile, type VCardProblem } from './read-vcard.ts';
export { components, escapeText, unescapeText } from './values.ts';
export { writeVCard } from './write-vcard.ts';
