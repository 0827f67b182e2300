import { ProtocolError } from '../../base/errors.ts';
import { headerList, parseNameAddress, parseSipUri, type SipNameAddress } from '../../protocol/sip/headers.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { Timers } from '../timers.ts';
import type { LabUser } from '../users.ts';
import type { AkaDigestAlgorithm } from '../../protocol/gba/index.ts';
import type { LabAuthenticationCentre } from '../authentication-centre.ts';
import { AkaAuthenticator } from './aka-authentication.ts';
import { DigestAuthenticator, type DigestOptions } from './authentication.ts';
import { Bindings, type Binding, type BindingEnd } from './bindings.ts';
import type { Flow } from './flow.ts';
import { registeredReply, supports } from './registered-reply.ts';
import { replyTo } from './replies.ts';
import { addSecurityServer, agree, serverMechanisms, unsupportedOptions, verifies } from './security-agreement.ts';

const defaultExpirySeconds = 600;
const maxExpirySeconds = 3600;
const maxContacts = 10;

export interface RegistrarOptions {
  readonly domain: string;
  readonly users: ReadonlyMap<string, LabUser>;
  readonly timers: Timers;
  readonly authenticationCentre: LabAuthenticationCentre;
  readonly akaAlgorithm: AkaDigestAlgorithm;
  readonly digest: DigestOptions;
  /** How often a device must be heard on a flow (RFC 5626 5.4). */
  readonly flowTimerSeconds: number;
}

/** Decides who may be where. Contacts are bound to their connection and go with it (RFC 5626). */
export class Registrar {
  readonly bindings = new Bindings();
  readonly #options: RegistrarOptions;
  readonly #authenticator: DigestAuthenticator;
  readonly #akaAuthenticator: AkaAuthenticator;

  constructor(options: RegistrarOptions) {
    this.#options = options;
    const { domain, authenticationCentre, akaAlgorithm } = options;
    this.#authenticator = new DigestAuthenticator(domain, options.digest);
    this.#akaAuthenticator = new AkaAuthenticator(domain, authenticationCentre, akaAlgorithm);
  }

  /** The subscriber with that address, and the one device that is meant when it is a GRUU (RFC 5627 4.1). */
  find(uri: string): { readonly user: LabUser; readonly instance: string | undefined } | undefined {
    const user = this.userOf(uri);
    const instance = user && /^sips?:/i.test(uri) ? parseSipUri(uri).parameters.get('gr') : undefined;
    return user && { user, instance: instance === undefined ? undefined : `<${instance}>` };
  }

  /** The subscriber with that `sip:` or `tel:` address. @throws ProtocolError hint sip 416 for a `tel:` address of nobody */
  userOf(uri: string): LabUser | undefined {
    const wanted = tryKmsUserIdentity(uri);
    for (const user of this.#options.users.values()) {
      if (user.identities.some((identity) => identity.toLowerCase() === wanted?.toLowerCase())) return user;
    }
    // Also refuses what is no SIP address at all.
    parseSipUri(uri);
    return undefined;
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

  /**
   * Who sends a request over TCP without being registered there, as it is too long for the datagrams of the registration
   * (RFC 3261 18.1.1): whoever has the password, asked for by 407. Undefined when nobody in it is registered so.
   */
  senderBeside(flow: Flow, request: SipMessage): LabUser | SipMessage | undefined {
    const user = this.userOf(parseNameAddress(request.headers.get('From') ?? '').uri);
    const isCandidate = flow.transport === 'tcp' && flow.user === undefined && user?.authentication === 'digest';
    if (!isCandidate || !this.bindings.of(user).some((binding) => binding.flow.transport === 'udp')) return undefined;
    const proof = request.clone();
    proof.headers.remove('Authorization').add('Authorization', request.headers.get('Proxy-Authorization') ?? '');
    const verdict = this.#authenticator.verify(proof, user, Date.now());
    if (verdict.kind === 'accepted') return user;
    if (verdict.kind === 'refused') return replyTo(request, 403);
    const reply = replyTo(request, 407);
    for (const challenge of this.#challenges(user, verdict.stale)) reply.headers.add('Proxy-Authenticate', challenge);
    return reply;
  }

  /** The network ends registrations by itself (RFC 3680, TS 24.229 5.4.1.5); returns how many. */
  deregister(user: LabUser, why: BindingEnd, retryAfterSeconds?: number): number {
    const bindings = this.bindings.of(user);
    for (const binding of bindings) this.bindings.remove(binding, why, retryAfterSeconds);
    return bindings.length;
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
    let isOutbound = false;
    if (contacts.includes('*')) {
      if (contacts.length > 1 || headerExpiry !== 0) return replyTo(request, 400);
      this.deregister(user, 'unregistered');
    } else {
      const addresses = contacts.map((contact) => parseNameAddress(contact, 'sip.Contact'));
      // RFC 5626 6: one contact in each REGISTER that binds a flow.
      if (addresses.length > 1 && addresses.some(({ parameters }) => parameters.has('reg-id'))) {
        return replyTo(request, 400, 'One flow in each REGISTER');
      }
      if (addresses.length + this.bindings.of(user).length > maxContacts) {
        return replyTo(request, 403, 'Too many contacts');
      }
      for (const address of addresses) {
        const bound = this.#bindContact(flow, request, user, address, headerExpiry);
        isOutbound ||= bound?.regId !== undefined;
      }
    }
    return this.#reply(flow, request, user, isOutbound);
  }

  #reply(flow: Flow, request: SipMessage, user: LabUser, isOutbound: boolean): SipMessage {
    const { flowTimerSeconds } = this.#options;
    const bindings = this.bindings.of(user);
    if (isOutbound) flow.expectSignsOfLife(flowTimerSeconds);
    const timer = isOutbound ? flowTimerSeconds : undefined;
    const reply = registeredReply({ flow, request, user, bindings, flowTimerSeconds: timer });
    // Profile 1.7: with the registration the agreement ends.
    if (this.bindings.onFlow(flow) === undefined) flow.agreement = undefined;
    return reply;
  }

  #bindContact(
    flow: Flow,
    request: SipMessage,
    user: LabUser,
    contact: SipNameAddress,
    headerExpiry: number,
  ): Binding | undefined {
    const seconds = Math.min(readSeconds(contact.parameters.get('expires')) ?? headerExpiry, maxExpirySeconds);
    const instance = contact.parameters.get('+sip.instance');
    // RFC 5626 6: without the option tag, or without an instance, a reg-id means nothing.
    const counts = instance !== undefined && supports(request, 'outbound');
    const regId = counts ? readRegId(contact.parameters.get('reg-id')) : undefined;
    const key = instance === undefined ? contact.uri : `${instance};${regId ?? ''}`;
    const known = this.bindings.get(user, key);
    if (seconds === 0) {
      if (known !== undefined) this.bindings.remove(known, 'unregistered');
      return undefined;
    }
    flow.user = user;
    flow.instance = instance;
    const binding: Binding = {
      key,
      user,
      flow,
      contact,
      instance,
      regId,
      gruu: instance === undefined ? undefined : gruuOf(user, instance),
      callId: request.headers.get('Call-ID') ?? '',
      msrpTls: flow.agreement?.msrpTls ?? false,
      expiresAt: Date.now() + seconds * 1000,
      cancelExpiry: this.#options.timers.after(seconds * 1000, () => this.bindings.remove(binding, 'expired')),
    };
    this.bindings.put(binding);
    return binding;
  }
}

/** Address of record with the device in it (RFC 5627 4.1, 6.1): `sip:alice@lab.test;gr=urn:uuid:…`. */
function gruuOf(user: LabUser, instance: string): string | undefined {
  const urn = /^<([A-Za-z0-9:.-]+)>$/.exec(instance)?.[1];
  return urn === undefined ? undefined : `${user.identity};gr=${urn}`;
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
  return text === undefined ? undefined : readNumber(text, 'sip.Expires');
}

function readRegId(text: string | undefined): number | undefined {
  return text === undefined ? undefined : readNumber(text, 'sip.Contact.reg-id');
}

function readNumber(text: string, field: string): number {
  if (/^[0-9]{1,10}$/.test(text)) return Number(text);
  throw new ProtocolError('malformed', 'not a number', { field, expected: 'a decimal number', hint: { sip: 400 } });
}
