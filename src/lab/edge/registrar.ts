import { ProtocolError } from '../../base/errors.ts';
import { Events } from '../../base/events.ts';
import { headerList, parseNameAddress, parseSipUri, type SipNameAddress } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { Timers } from '../timers.ts';
import type { LabUser } from '../users.ts';
import type { AkaDigestAlgorithm } from '../../protocol/gba/index.ts';
import type { LabAuthenticationCentre } from '../authentication-centre.ts';
import { AkaAuthenticator } from './aka-authentication.ts';
import { DigestAuthenticator } from './authentication.ts';
import type { Flow } from './flow.ts';
import { replyTo } from './replies.ts';
import { addSecurityServer, agree, serverMechanisms, unsupportedOptions, verifies } from './security-agreement.ts';

/** One contact of a user, reachable over the flow on which it registered. */
export interface Binding {
  readonly user: LabUser;
  readonly flow: Flow;
  readonly contact: SipNameAddress;
  /** Both sides announced `msrp-tls;mediasec` in this registration. */
  readonly msrpTls: boolean;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly cancelExpiry: () => void;
}

const defaultExpirySeconds = 600;
const maxExpirySeconds = 3600;
const maxContacts = 10;

export interface RegistrarOptions {
  readonly domain: string;
  readonly users: ReadonlyMap<string, LabUser>;
  readonly timers: Timers;
  readonly authenticationCentre: LabAuthenticationCentre;
  readonly akaAlgorithm: AkaDigestAlgorithm;
  /** Where UEs send later requests, as Service-Route value without brackets. */
  serviceRoute(flow: Flow): string;
}

/** Knows who is where. Contacts are bound to their connection and go with it (RFC 5626). */
export class Registrar {
  readonly events = new Events<{ registered: Binding; removed: Binding }>();
  readonly #options: RegistrarOptions;
  readonly #authenticator: DigestAuthenticator;
  readonly #akaAuthenticator: AkaAuthenticator;
  readonly #bindings = new Map<LabUser, Map<string, Binding>>();

  constructor(options: RegistrarOptions) {
    this.#options = options;
    const { domain, authenticationCentre, akaAlgorithm } = options;
    this.#authenticator = new DigestAuthenticator(domain);
    this.#akaAuthenticator = new AkaAuthenticator(domain, authenticationCentre, akaAlgorithm);
  }

  bindings(user: LabUser): Binding[] {
    return [...(this.#bindings.get(user)?.values() ?? [])];
  }

  /** The binding that `flow` has for its own user. */
  bindingOf(flow: Flow): Binding | undefined {
    return flow.user && this.bindings(flow.user).find((binding) => binding.flow === flow);
  }

  /** The subscriber of a `sip:` address in this domain. */
  userOf(uri: string): LabUser | undefined {
    const { host, user } = parseSipUri(uri);
    return host === this.#options.domain && user !== undefined
      ? this.#options.users.get(user.toLowerCase())
      : undefined;
  }

  removeFlow(flow: Flow): void {
    for (const [user, contacts] of this.#bindings) {
      for (const [key, binding] of contacts) if (binding.flow === flow) this.#remove(user, key);
    }
  }

  /** The answer to a REGISTER; bindings have changed when it is 200. */
  register(flow: Flow, request: SipMessage): SipMessage {
    const unsupported = unsupportedOptions(request);
    if (unsupported.length > 0) return badExtension(request, unsupported);
    const user = this.userOf(parseNameAddress(request.headers.get('To') ?? '').uri);
    if (user === undefined) return replyTo(request, 404);
    if (flow.user !== undefined && flow.user !== user) return replyTo(request, 403, 'One user on each connection');
    return this.#authenticated(flow, request, user);
  }

  #authenticated(flow: Flow, request: SipMessage, user: LabUser): SipMessage {
    const authenticator = user.authentication === 'aka' ? this.#akaAuthenticator : this.#authenticator;
    const verdict = authenticator.verify(request, user, Date.now());
    if (verdict.kind === 'refused') return replyTo(request, 403);
    // The agreement starts with the challenge, so that the answer to it already mirrors the list (profile 1.7).
    const agreement = agree(request, flow.transport);
    if (verdict.kind === 'challenge') {
      const reply = replyTo(request, 401);
      for (const challenge of this.#challenges(user, verdict.stale)) reply.headers.add('WWW-Authenticate', challenge);
      if (agreement !== undefined) {
        flow.agreement = agreement;
        addSecurityServer(reply, agreement.server);
      }
      return reply;
    }
    if (flow.agreement !== undefined && !verifies(request, flow.agreement)) return securityRequired(request, flow);
    flow.agreement = agreement ?? flow.agreement;
    return this.#bind(flow, request, user);
  }

  #challenges(user: LabUser, isStale: boolean): string[] {
    if (user.authentication === 'aka') return [this.#akaAuthenticator.challenge(user, Date.now())];
    return this.#authenticator.challenges(isStale, Date.now());
  }

  #bind(flow: Flow, request: SipMessage, user: LabUser): SipMessage {
    const contacts = headerList(request, 'Contact');
    const headerExpiry = readSeconds(request.headers.get('Expires')) ?? defaultExpirySeconds;
    if (contacts.includes('*')) {
      if (contacts.length > 1 || headerExpiry !== 0) return replyTo(request, 400);
      for (const key of [...this.#contacts(user).keys()]) this.#remove(user, key);
    } else {
      const addresses = contacts.map((contact) => parseNameAddress(contact, 'sip.Contact'));
      if (addresses.length + this.#contacts(user).size > maxContacts) return replyTo(request, 403, 'Too many contacts');
      for (const address of addresses) this.#bindContact(flow, user, address, headerExpiry);
    }
    return this.#registeredReply(flow, request, user);
  }

  #bindContact(flow: Flow, user: LabUser, contact: SipNameAddress, headerExpiry: number): void {
    const seconds = Math.min(readSeconds(contact.parameters.get('expires')) ?? headerExpiry, maxExpirySeconds);
    const instance = contact.parameters.get('+sip.instance');
    const key = instance === undefined ? contact.uri : `${instance};${contact.parameters.get('reg-id') ?? ''}`;
    const known = this.#contacts(user).get(key);
    known?.cancelExpiry();
    if (seconds === 0) {
      this.#remove(user, key);
      return;
    }
    flow.user = user;
    const binding: Binding = {
      user,
      flow,
      contact,
      msrpTls: flow.agreement?.msrpTls ?? false,
      expiresAt: Date.now() + seconds * 1000,
      cancelExpiry: this.#options.timers.after(seconds * 1000, () => this.#remove(user, key)),
    };
    this.#contacts(user).set(key, binding);
    this.events.emit('registered', binding);
  }

  #registeredReply(flow: Flow, request: SipMessage, user: LabUser): SipMessage {
    const reply = replyTo(request, 200);
    for (const { contact, expiresAt } of this.#contacts(user).values()) {
      const seconds = Math.max(0, Math.round((expiresAt - Date.now()) / 1000));
      const instance = contact.parameters.get('+sip.instance');
      const kept = instance === undefined ? '' : `;+sip.instance="${instance}"`;
      reply.headers.add('Contact', `<${contact.uri}>${kept};expires=${seconds}`);
    }
    for (const path of request.headers.getAll('Path')) reply.headers.add('Path', path);
    reply.headers.add('Service-Route', `<${this.#options.serviceRoute(flow)}>`);
    reply.headers.add('P-Associated-URI', `<${user.identity}>`);
    if (flow.agreement !== undefined) addSecurityServer(reply, flow.agreement.server);
    // Profile 1.7: with the registration the agreement ends.
    if (this.bindingOf(flow) === undefined) flow.agreement = undefined;
    return reply;
  }

  #contacts(user: LabUser): Map<string, Binding> {
    const contacts = this.#bindings.get(user) ?? new Map<string, Binding>();
    this.#bindings.set(user, contacts);
    return contacts;
  }

  #remove(user: LabUser, key: string): void {
    const binding = this.#contacts(user).get(key);
    if (binding === undefined) return;
    binding.cancelExpiry();
    this.#contacts(user).delete(key);
    this.events.emit('removed', binding);
  }
}

/** 494 with the list that the UE should have mirrored (RFC 3329 2.3.1). */
export function securityRequired(request: SipMessage, flow: Flow): SipMessage {
  const reply = replyTo(request, 494);
  reply.headers.add('Require', 'sec-agree');
  addSecurityServer(reply, serverMechanisms(flow.transport));
  return reply;
}

/** 420 naming the option tags that the edge does not know. */
export function badExtension(request: SipMessage, unsupported: readonly string[]): SipMessage {
  const reply = replyTo(request, 420);
  reply.headers.add('Unsupported', unsupported.join(', '));
  return reply;
}

function readSeconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,10}$/.test(text)) {
    throw new ProtocolError('malformed', 'not seconds', {
      field: 'sip.Expires',
      expected: 'a number',
      hint: { sip: 400 },
    });
  }
  return Number(text);
}
