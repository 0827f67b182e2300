/**
 * Whether a media type is in an `accept-types` list (RFC 4975 section 8.6): `text/plain`, `text/*` or `*`; parameters and
 * case count for nothing.
 */
export function isAcceptable(contentType: string, acceptTypes: readonly string[]): boolean {
  const [type = ''] = contentType.toLowerCase().split(';');
  const mediaType = type.trim();
  return acceptTypes.some((entry) => {
    const [accepted = ''] = entry.toLowerCase().split(';');
    if (accepted === '*' || accepted === mediaType) return true;
    return accepted.endsWith('/*') && mediaType.startsWith(accepted.slice(0, -1));
  });
}
