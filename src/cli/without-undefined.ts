type Present<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

/** Optional parameters that were not given are left out, not passed as undefined. */
export function withoutUndefined<T extends object>(value: T): Present<T> {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as Present<T>;
}
