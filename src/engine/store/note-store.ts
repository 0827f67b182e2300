/** A value that JSON can hold; at most 256 KiB of it. */
export type Note = null | boolean | number | string | readonly Note[] | { readonly [name: string]: Note | undefined };

/** Small facts by kind and key. */
export interface NoteStore {
  get(kind: string, key: string): Note | undefined;
  set(kind: string, key: string, value: Note): void;
  delete(kind: string, key: string): void;
  /** In order of key, those whose key begins with `prefix`. */
  list(kind: string, prefix?: string): readonly { readonly key: string; readonly value: Note }[];
}
