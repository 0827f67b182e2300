export type Listener<T> = (event: T) => void;
export type Unsubscribe = () => void;

/**
 * Events of one object, typed by a map from name to payload.
 * A listener that throws does not keep the others from hearing the event.
 */
export class Events<EventMap extends object> {
  readonly #listeners = new Map<keyof EventMap, Set<Listener<never>>>();
  readonly #onListenerError: (error: unknown) => void;

  constructor(onListenerError: (error: unknown) => void = () => undefined) {
    this.#onListenerError = onListenerError;
  }

  on<Name extends keyof EventMap>(name: Name, listener: Listener<EventMap[Name]>): Unsubscribe {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit<Name extends keyof EventMap>(name: Name, event: EventMap[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as Listener<EventMap[Name]>)(event);
      } catch (error) {
        this.#onListenerError(error);
      }
    }
  }
}
