import { Events, type Listener, type Unsubscribe } from '../../base/events.ts';

/** Events that wait for their first listener, so that nothing is lost between making an object and listening to it. */
export class HeldEvents<EventMap extends object> extends Events<EventMap> {
  readonly #held = new Map<keyof EventMap, EventMap[keyof EventMap][]>();
  readonly #heard = new Set<keyof EventMap>();

  override on<Name extends keyof EventMap>(name: Name, listener: Listener<EventMap[Name]>): Unsubscribe {
    const unsubscribe = super.on(name, listener);
    this.#heard.add(name);
    const held = this.#held.get(name) ?? [];
    this.#held.delete(name);
    for (const event of held) super.emit(name, event as EventMap[Name]);
    return unsubscribe;
  }

  override emit<Name extends keyof EventMap>(name: Name, event: EventMap[Name]): void {
    if (this.#heard.has(name)) {
      super.emit(name, event);
      return;
    }
    const held = this.#held.get(name);
    if (held === undefined) this.#held.set(name, [event]);
    else held.push(event);
  }
}
