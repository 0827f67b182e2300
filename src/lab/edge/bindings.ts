import { Events } from '../../base/events.ts';
import type { SipNameAddress } from '../../protocol/sip/headers.ts';
import type { LabUser } from '../users.ts';
import type { Flow } from './flow.ts';

/** One contact of a user, reachable over the flow on which it registered. */
export interface Binding {
  /** Distinguishes the contacts of a user; the same when a device registers the same contact again. */
  readonly key: string;
  readonly user: LabUser;
  readonly flow: Flow;
  readonly contact: SipNameAddress;
  /** `+sip.instance` without quotes. */
  readonly instance: string | undefined;
  /** Set when the contact is one of several flows of its device (RFC 5626). */
  readonly regId: number | undefined;
  /** Address of that device alone (RFC 5627). */
  readonly gruu: string | undefined;
  readonly callId: string;
  /** Both sides announced `msrp-tls;mediasec` in this registration. */
  readonly msrpTls: boolean;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly cancelExpiry: () => void;
}

/** Why a contact is no longer bound (RFC 3680 5.1). */
export type BindingEnd = 'expired' | 'unregistered' | 'deactivated' | 'probation' | 'rejected';

export interface BindingEvents {
  registered: { readonly binding: Binding; readonly isNew: boolean };
  removed: { readonly binding: Binding; readonly why: BindingEnd; readonly retryAfterSeconds: number | undefined };
}

/** A device, or a contact that names none: a request goes to the first of its flows that works. */
export type Target = readonly [Binding, ...Binding[]];

/** Who is where. */
export class Bindings {
  readonly events = new Events<BindingEvents>();
  readonly #bindings = new Map<LabUser, Map<string, Binding>>();

  of(user: LabUser): Binding[] {
    return [...(this.#bindings.get(user)?.values() ?? [])];
  }

  get(user: LabUser, key: string): Binding | undefined {
    return this.#bindings.get(user)?.get(key);
  }

  /** The binding that `flow` has for its own user. */
  onFlow(flow: Flow): Binding | undefined {
    return flow.user && this.of(flow.user).find((binding) => binding.flow === flow);
  }

  /**
   * Where a request for the user goes (RFC 5626 7): each device once, its flows in the order in which they are to be tried,
   * the one that was registered last first.
   * @param instance only that device.
   */
  targets(user: LabUser, instance?: string): Target[] {
    const devices = new Map<string, Binding[]>();
    for (const binding of this.of(user)) {
      if (instance !== undefined && binding.instance !== instance) continue;
      const device = binding.regId === undefined ? binding.key : `device ${binding.instance ?? ''}`;
      devices.set(device, [binding, ...(devices.get(device) ?? [])]);
    }
    return [...devices.values()].flatMap(([first, ...others]) => (first === undefined ? [] : [[first, ...others]]));
  }

  put(binding: Binding): void {
    const contacts = this.#bindings.get(binding.user) ?? new Map<string, Binding>();
    this.#bindings.set(binding.user, contacts);
    const known = contacts.get(binding.key);
    known?.cancelExpiry();
    // To the end: the order is that of the last registration.
    contacts.delete(binding.key);
    contacts.set(binding.key, binding);
    this.events.emit('registered', { binding, isNew: known === undefined });
  }

  remove(binding: Binding, why: BindingEnd, retryAfterSeconds?: number): void {
    const contacts = this.#bindings.get(binding.user);
    if (contacts?.get(binding.key) !== binding) return;
    binding.cancelExpiry();
    contacts.delete(binding.key);
    this.events.emit('removed', { binding, why, retryAfterSeconds });
  }

  removeFlow(flow: Flow): void {
    for (const contacts of this.#bindings.values()) {
      for (const binding of [...contacts.values()]) if (binding.flow === flow) this.remove(binding, 'expired');
    }
  }
}
