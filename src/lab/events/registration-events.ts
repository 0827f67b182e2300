import { utf8 } from '../../base/bytes.ts';
import { escapeXml } from '../../protocol/xml/index.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { Binding, BindingEnd, BindingEvents } from '../edge/bindings.ts';
import type { ForwardingTools, RequestHandler, RequestService } from '../edge/forwarding-tools.ts';
import type { LabUser } from '../users.ts';
import { Subscriptions, type Subscription } from './subscriptions.ts';

/** A contact that has just gone: the next document still names it, with the reason (RFC 3680 5.2). */
interface Ended {
  readonly binding: Binding;
  readonly why: BindingEnd;
  readonly retryAfterSeconds: number | undefined;
}

/** RFC 3680 4.3. */
const defaultSeconds = 3761;

/** Tells a user's devices how the user is registered (RFC 3680); each document holds the full state. */
export class RegistrationEvents implements RequestService {
  readonly #tools: ForwardingTools;
  readonly #subscriptions: Subscriptions;
  readonly #ended = new Map<LabUser, Ended[]>();
  readonly #unsubscribe: readonly (() => void)[];

  constructor(tools: ForwardingTools) {
    this.#tools = tools;
    this.#subscriptions = new Subscriptions({
      event: 'reg',
      tools,
      defaultSeconds,
      mayWatch: (subscriber, resource) => subscriber === resource,
      state: (subscription) => ({ contentType: 'application/reginfo+xml', body: utf8(this.#document(subscription)) }),
    });
    const { events } = tools.registrar.bindings;
    this.#unsubscribe = [
      events.on('registered', ({ binding, isNew }) => {
        if (isNew) this.#subscriptions.notify(binding.user);
      }),
      events.on('removed', (removed) => this.#removed(removed)),
    ];
  }

  claim(request: SipMessage): RequestHandler | undefined {
    if (!this.#subscriptions.handles(request)) return undefined;
    return (flow, sender, claimed) => this.#subscriptions.subscribe(flow, sender, claimed);
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#subscriptions.stop();
  }

  #removed({ binding, why, retryAfterSeconds }: BindingEvents['removed']): void {
    this.#ended.set(binding.user, [{ binding, why, retryAfterSeconds }]);
    this.#subscriptions.notify(binding.user);
    this.#ended.delete(binding.user);
  }

  #document({ resource, version }: Subscription): string {
    const bindings = this.#tools.registrar.bindings.of(resource);
    const ended = this.#ended.get(resource) ?? [];
    const contacts = [
      ...bindings.map((binding) => contactElement(binding, 'active', 'registered')),
      ...ended.map(({ binding, why, retryAfterSeconds }) =>
        contactElement(binding, 'terminated', why, retryAfterSeconds),
      ),
    ];
    const state = bindings.length > 0 ? 'active' : ended.length > 0 ? 'terminated' : 'init';
    const registrations = resource.identities.map(
      (identity, index) =>
        `<registration aor="${escapeXml(identity, 'reginfo')}" id="r${index}" state="${state}">${contacts.join('')}</registration>`,
    );
    return (
      '<?xml version="1.0" encoding="UTF-8"?>\r\n' +
      `<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" xmlns:gr="urn:ietf:params:xml:ns:gruuinfo" version="${version}" state="full">` +
      `${registrations.join('')}</reginfo>\r\n`
    );
  }
}

function contactElement(binding: Binding, state: string, event: string, retryAfterSeconds?: number): string {
  const { contact, callId, instance, gruu, expiresAt } = binding;
  const text = (value: string): string => escapeXml(value, 'reginfo');
  const seconds = Math.max(0, Math.round((expiresAt - Date.now()) / 1000));
  const expires = state === 'active' ? ` expires="${seconds}"` : '';
  const retry = retryAfterSeconds === undefined ? '' : ` retry-after="${retryAfterSeconds}"`;
  const device =
    instance === undefined ? '' : `<unknown-param name="+sip.instance">"${text(instance)}"</unknown-param>`;
  // RFC 5628 5.
  const address = gruu === undefined ? '' : `<gr:pub-gruu uri="${text(gruu)}"/>`;
  return (
    `<contact id="${text(idOf(binding))}" state="${state}" event="${event}" callid="${text(callId)}"${expires}${retry}>` +
    `<uri>${text(contact.uri)}</uri>${device}${address}</contact>`
  );
}

/** Stays the same for a contact (RFC 3680 5.1). */
function idOf({ key }: Binding): string {
  return Buffer.from(key).toString('base64url');
}
