import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { FakeClock } from '../../../src/base/clock.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { Events } from '../../../src/base/events.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { limits } from '../../../src/engine/limits.ts';
import { AccountPresence, type OwnPresenceView, type PresenceView } from '../../../src/engine/presence/index.ts';
import type {
  OutgoingPublication,
  OutgoingSubscription,
  RegistrationState,
  SipReply,
  SipUserAgentEvents,
} from '../../../src/engine/sip/index.ts';
import { readPidf } from '../../../src/protocol/presence/index.ts';
import { SipHeaders } from '../../../src/protocol/sip/message.ts';
import { MemoryNotes } from '../support/memory-notes.ts';
import { settle } from '../support/world.ts';

interface Asked extends OutgoingSubscription {
  isOver: boolean;
}

/** A network whose answers the test gives. */
class Network {
  readonly events = new Events<SipUserAgentEvents>();
  registration: RegistrationState = { state: 'unregistered' };
  readonly asked: Asked[] = [];
  readonly published: OutgoingPublication[] = [];
  answer: (publication: OutgoingPublication) => { status: number; headers?: Record<string, string> } = ({
    expires,
  }) => ({
    status: 200,
    headers: { 'SIP-ETag': `tag${this.published.length}`, Expires: `${expires}` },
  });

  refusedAddress: string | undefined;

  subscribe(subscription: OutgoingSubscription): { end: () => void } {
    if (subscription.to === this.refusedAddress)
      throw new ProtocolError('local', 'not an address', { field: 'sip.to' });
    const asked: Asked = { ...subscription, isOver: false };
    this.asked.push(asked);
    return { end: () => (asked.isOver = true) };
  }

  publish(publication: OutgoingPublication): Promise<SipReply> {
    this.published.push(publication);
    const { status, headers = {} } = this.answer(publication);
    const fields = new SipHeaders();
    for (const [name, value] of Object.entries(headers)) fields.add(name, value);
    return Promise.resolve({ status, reason: '', headers: fields, body: new Uint8Array() });
  }

  register(isRegistered = true): void {
    this.registration = isRegistered
      ? { state: 'registered', expires: 3600, associatedIdentities: [] }
      : { state: 'failed', code: 'connection-lost', explanation: '', willRetry: true };
    this.events.emit('registration', this.registration);
  }

  get open(): Asked[] {
    return this.asked.filter(({ isOver }) => !isOver);
  }

  last(peer: string): Asked {
    return this.asked.findLast(({ to }) => to === peer)!;
  }
}

const [bob, carol] = ['sip:bob@lab.test', 'sip:carol@lab.test'];
const clock = new FakeClock();
let network: Network;
let notes: MemoryNotes;
let presence: AccountPresence;
let views: PresenceView[];
let own: OwnPresenceView[];

let earlier: AccountPresence | undefined;

function open(): void {
  void earlier?.stop();
  presence = new AccountPresence({
    ports: { clock, log: silentLogger, random: secureRandom },
    userAgent: network,
    self: 'sip:me@lab.test',
    notes,
  });
  earlier = presence;
  views = [];
  own = [];
  presence.events.on('presence', (view) => views.push(view));
  presence.events.on('own', (view) => own.push(view));
}

function say(asked: Asked, inside: string): void {
  const body = utf8(`<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
    xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity="${asked.to}">${inside}</presence>`);
  asked.onNotify({ contentType: 'application/pidf+xml;charset=utf-8', body });
  asked.onState?.('active');
}

const tuple = (basic: string, more = ''): string =>
  `<tuple id="a"><status><basic>${basic}</basic></status>${more}</tuple>`;
const doing = (activity: string): string =>
  `<dm:person id="p"><r:activities><r:${activity}/></r:activities></dm:person>`;
const view = (peer: string): PresenceView => presence.views().find((one) => one.peer === peer)!;

beforeEach(() => {
  earlier = undefined;
  network = new Network();
  notes = new MemoryNotes();
  open();
});

describe('watching', () => {
  test('is off until the user turns it on, and asks nobody before the account is registered', () => {
    expect(presence.watch(bob)).toBe('watched');
    network.register();
    expect(network.asked).toEqual([]);
    expect(presence.own()).toEqual({ state: 'available', watches: false, publication: 'off' });
    network.register(false);
    presence.configure({ watches: true });
    expect(network.asked).toEqual([]);
    network.register();
    expect(network.asked).toMatchObject([
      { to: bob, event: 'presence', accept: 'application/pidf+xml', expires: 3600 },
    ]);
    presence.configure({ watches: false });
    expect(network.open).toEqual([]);
    expect(view(bob)).toEqual({ peer: bob, state: 'unknown', watch: 'off', vouchedBy: 'network' });
  });

  test.each([
    ['available', tuple('open'), undefined],
    ['away', tuple('open') + doing('away'), undefined],
    ['busy', tuple('open', '<note>in a call</note>') + doing('on-the-phone'), 'in a call'],
    ['offline', `${tuple('closed')}<note>until Monday</note>`, 'until Monday'],
    ['offline', '', undefined],
    ['available', tuple('closed') + tuple('open'), undefined],
  ])('shows %s by the word of the network', (state, inside, note) => {
    presence.watch(bob);
    presence.configure({ watches: true });
    network.register();
    say(network.last(bob), inside);
    const expected = { peer: bob, state, heardAt: clock.now(), watch: 'active', vouchedBy: 'network' };
    expect(view(bob)).toEqual(note === undefined ? expected : { ...expected, note });
    expect(views.at(-1)).toEqual(view(bob));
  });

  test('what cannot be read changes nothing', () => {
    presence.watch(bob);
    presence.configure({ watches: true });
    network.register();
    say(network.last(bob), tuple('open'));
    network.last(bob).onNotify({ contentType: 'application/pidf+xml', body: utf8('<x') });
    network.last(bob).onNotify({ contentType: 'text/plain', body: utf8('offline') });
    expect(view(bob)).toMatchObject({ state: 'available', watch: 'active' });
  });

  test('goes on over restarts and new registrations, and knows nothing while there is no connection', () => {
    presence.watch(bob);
    presence.configure({ watches: true });
    open();
    network.register();
    say(network.last(bob), tuple('open'));
    network.register(false);
    expect(view(bob)).toMatchObject({ state: 'unknown', watch: 'off' });
    network.register();
    // The renewal of a registration asks nothing anew, the loss of one of two connections does.
    network.register();
    expect(network.asked).toHaveLength(2);
    network.events.emit('flow', { connected: false });
    expect(network.asked).toHaveLength(3);
    expect(network.open).toHaveLength(1);
    expect(presence.unwatch(bob)).toBe(true);
    expect(presence.unwatch(bob)).toBe(false);
    open();
    expect(presence.views()).toEqual([]);
    expect(network.open).toEqual([]);
  });

  test('a few at a time, a bounded number, and only addresses', () => {
    presence.configure({ watches: true });
    network.register();
    for (let n = 0; n < limits.watchedContacts; n++) expect(presence.watch(`sip:u${n}@lab.test`)).toBe('watched');
    expect(presence.watch('sip:late@lab.test')).toBe('too-many');
    expect(presence.watch('nobody')).toBe('invalid-address');
    expect(network.asked).toHaveLength(8);
    for (let n = 0; n < limits.watchedContacts; n++) say(network.asked[n]!, tuple('open'));
    expect(network.open).toHaveLength(limits.watchedContacts);
  });

  test('an address that no request can be sent to keeps nobody else from being asked about', () => {
    network.refusedAddress = bob;
    for (const peer of [bob, carol]) presence.watch(peer);
    presence.configure({ watches: true });
    network.register();
    expect(view(bob).watch).toBe('unsupported');
    expect(network.open).toMatchObject([{ to: carol }]);
  });

  test('who refuses is not asked again, also not with a new registration; the user may ask anew', () => {
    for (const peer of [bob, carol]) presence.watch(peer);
    presence.configure({ watches: true });
    network.register();
    network.last(bob).onEnded({ reason: 'rejected' });
    network.last(carol).onEnded({ status: 404 });
    expect([view(bob).watch, view(carol).watch]).toEqual(['refused', 'unsupported']);
    network.register(false);
    network.register();
    clock.advance(limits.presenceRetryLongestMilliseconds);
    expect(network.asked).toHaveLength(2);
    presence.configure({ watches: true });
    expect(network.asked).toHaveLength(4);
  });

  test('a network without presence is asked once, and again after a day', () => {
    for (const peer of [bob, carol]) presence.watch(peer);
    presence.configure({ watches: true });
    network.register();
    network.last(carol).onEnded({ status: 489 });
    expect([view(bob).watch, view(carol).watch]).toEqual(['unsupported', 'unsupported']);
    expect(network.open.filter(({ to }) => to === bob)).toEqual([]);
    network.register(false);
    open();
    network.register();
    expect(network.asked).toHaveLength(2);
    expect(view(bob).watch).toBe('unsupported');
    network.register(false);
    clock.advance(limits.presenceRefusedMilliseconds);
    network.register();
    expect(network.asked).toHaveLength(4);
  });

  test('what fails is tried again, later each time, and not before the notifier allows it', () => {
    presence.watch(bob);
    presence.configure({ watches: true });
    network.register();
    network.last(bob).onEnded({ status: 500 });
    expect(view(bob)).toMatchObject({ watch: 'waiting', status: 500 });
    clock.advance(limits.presenceRetryMilliseconds - 1);
    expect(network.asked).toHaveLength(1);
    clock.advance(1);
    expect(network.asked).toHaveLength(2);
    network.last(bob).onEnded({ status: 408 });
    clock.advance(limits.presenceRetryMilliseconds);
    expect(network.asked).toHaveLength(2);
    clock.advance(limits.presenceRetryMilliseconds);
    expect(network.asked).toHaveLength(3);
    say(network.last(bob), tuple('open'));
    network.last(bob).onEnded({ reason: 'probation', retryAfterSeconds: 600 });
    clock.advance(599_999);
    expect(network.asked).toHaveLength(3);
    clock.advance(1);
    expect(network.asked).toHaveLength(4);
  });

  test('stopping leaves no timer and no subscription', async () => {
    for (const peer of [bob, carol]) presence.watch(peer);
    presence.configure({ watches: true, publishes: true });
    network.register();
    await settle();
    network.last(bob).onEnded({ status: 500 });
    await presence.stop();
    expect(clock.waiting).toBe(0);
    expect(network.open.filter(({ to }) => to !== bob)).toEqual([]);
    expect(network.published.at(-1)).toMatchObject({ expires: 0, ifMatch: 'tag1' });
  });
});

describe('telling', () => {
  const said = (publication: OutgoingPublication): unknown => {
    const { tuples, activities } = readPidf(publication.content!.body);
    return [tuples[0]?.basic, tuples[0]?.note, ...activities];
  };

  test('is off until the user turns it on; then every change replaces what was told', async () => {
    network.register();
    presence.configure({ state: 'busy' });
    await settle();
    expect(network.published).toEqual([]);
    presence.configure({ publishes: true, note: ' in a\u0000 meeting ' });
    await settle();
    expect(network.published[0]).toMatchObject({ to: 'sip:me@lab.test', event: 'presence', expires: 3600 });
    expect(network.published[0]?.ifMatch).toBeUndefined();
    expect(said(network.published[0]!)).toEqual(['open', 'in a meeting', 'busy']);
    expect(own.at(-1)).toEqual({ state: 'busy', note: 'in a meeting', watches: false, publication: 'told' });
    presence.configure({ state: 'available', note: '' });
    await settle();
    expect(network.published[1]?.ifMatch).toBe('tag1');
    expect(said(network.published[1]!)).toEqual(['open', undefined]);
    presence.configure({ state: 'offline' });
    await settle();
    expect(network.published[2]).toEqual({ to: 'sip:me@lab.test', event: 'presence', expires: 0, ifMatch: 'tag2' });
    expect(presence.own().publication).toBe('off');
    presence.configure({ watches: true });
    await settle();
    expect(network.published).toHaveLength(3);
  });

  test('is renewed before it ends, and told again with a new registration and after a restart', async () => {
    network.answer = () => ({ status: 200, headers: { 'SIP-ETag': 'x', Expires: '100' } });
    network.register();
    presence.configure({ publishes: true, state: 'away' });
    await settle();
    clock.advance(80_000);
    await settle();
    expect(network.published[1]).toEqual({ to: 'sip:me@lab.test', event: 'presence', expires: 3600, ifMatch: 'x' });
    network.register(false);
    expect(presence.own().publication).toBe('off');
    clock.advance(200_000);
    expect(network.published).toHaveLength(2);
    network.register();
    await settle();
    expect(said(network.published[2]!)).toEqual(['open', undefined, 'away']);
    const other = new Network();
    network = other;
    open();
    other.register();
    await settle();
    expect(said(other.published[0]!)).toEqual(['open', undefined, 'away']);
  });

  test('a tag that the network has forgotten is told anew (412), a life that is too short longer (423)', async () => {
    network.answer = ({ expires, ifMatch }) => {
      if (ifMatch !== undefined) return { status: 412 };
      if (expires < 7200) return { status: 423, headers: { 'Min-Expires': '7200' } };
      return { status: 200, headers: { 'SIP-ETag': 'x', Expires: '7200' } };
    };
    network.register();
    presence.configure({ publishes: true });
    await settle();
    presence.configure({ state: 'busy' });
    await settle();
    expect(network.published.map(({ expires, ifMatch }) => [expires, ifMatch])).toEqual([
      [3600, undefined],
      [7200, undefined],
      [7200, 'x'],
      [7200, undefined],
    ]);
    expect(presence.own().publication).toBe('told');
  });

  test.each([489, 405, 404, 501])('a network that answers %i is not asked again for a day', async (status) => {
    network.answer = () => ({ status });
    network.register();
    presence.configure({ publishes: true });
    await settle();
    expect(presence.own().publication).toBe('unsupported');
    presence.configure({ state: 'busy' });
    network.register(false);
    network.register();
    await settle();
    expect(network.published).toHaveLength(1);
    presence.configure({ publishes: true });
    await settle();
    expect(network.published).toHaveLength(2);
  });

  test('what fails is tried again; the last state wins', async () => {
    network.answer = () => ({ status: 503 });
    network.register();
    presence.configure({ publishes: true });
    presence.configure({ state: 'away' });
    presence.configure({ state: 'busy' });
    await settle();
    expect(presence.own().publication).toBe('waiting');
    network.answer = () => ({ status: 200, headers: { 'SIP-ETag': 'x', Expires: '3600' } });
    const before = network.published.length;
    clock.advance(limits.presenceRetryMilliseconds);
    await settle();
    expect(network.published).toHaveLength(before + 1);
    expect(said(network.published.at(-1)!)).toEqual(['open', undefined, 'busy']);
    expect(presence.own().publication).toBe('told');
  });
});
