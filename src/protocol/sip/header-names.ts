/** Compact forms of RFC 3261 20, RFC 3515, 3841, 3892, 4028, 6665, in lower case. */
const compactForms = new Map([
  ['a', 'accept-contact'],
  ['b', 'referred-by'],
  ['c', 'content-type'],
  ['d', 'request-disposition'],
  ['e', 'content-encoding'],
  ['f', 'from'],
  ['i', 'call-id'],
  ['j', 'reject-contact'],
  ['k', 'supported'],
  ['l', 'content-length'],
  ['m', 'contact'],
  ['o', 'event'],
  ['r', 'refer-to'],
  ['s', 'subject'],
  ['t', 'to'],
  ['u', 'allow-events'],
  ['v', 'via'],
  ['x', 'session-expires'],
]);

/** The name under which headers are compared: lower case, compact forms in full. */
export function comparableHeaderName(name: string): string {
  const lower = name.toLowerCase();
  return lower.length === 1 ? (compactForms.get(lower) ?? lower) : lower;
}
