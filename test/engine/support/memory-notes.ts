import type { Note, NoteStore } from '../../../src/engine/store/index.ts';

/** Notes that went through JSON, as every real store has them. */
export class MemoryNotes implements NoteStore {
  readonly #notes = new Map<string, string>();

  get(kind: string, key: string): Note | undefined {
    const text = this.#notes.get(`${kind}\n${key}`);
    return text === undefined ? undefined : (JSON.parse(text) as Note);
  }

  set(kind: string, key: string, value: Note): void {
    this.#notes.set(`${kind}\n${key}`, JSON.stringify(value));
  }

  delete(kind: string, key: string): void {
    this.#notes.delete(`${kind}\n${key}`);
  }

  list(kind: string, prefix = ''): readonly { readonly key: string; readonly value: Note }[] {
    const begin = `${kind}\n`;
    return [...this.#notes]
      .filter(([name]) => name.startsWith(begin + prefix))
      .map(([name, text]) => ({ key: name.slice(begin.length), value: JSON.parse(text) as Note }))
      .sort((one, other) => (one.key < other.key ? -1 : 1));
  }
}
