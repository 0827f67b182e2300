import { afterEach, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import type { OwnDevice, SipUserAgent } from '../../../src/engine/sip/index.ts';
import { parseNameAddress } from '../../../src/protocol/sip/headers.ts';
import { SipMessage } from '../../../src/protocol/sip/message.ts';
import type { Received } from '../../support/scripted-sip-server.ts';
import { createClient, registrar, settled, type SipClient } from '../../support/sip-client.ts';

const started: SipUserAgent[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((userAgent) => userAgent.stop()));
});

/** The notifier of a home network. */
class Notifier {
  readonly #client: SipClient;
  #subscribe: SipMessage | undefined;
  #sequence = 1;
  version = 0;

  constructor(client: SipClient) {
    this.#client = client;
    client.server.onRequest = (received) => this.onRequest(received);
  }

  onRequest = (received: Received): void => {
    if (received.message.method === 'REGISTER') registrar(received);
    else if (received.message.method === 'SUBSCRIBE') this.accept(received);
    else if (received.message.method !== 'ACK') received.reply(200);
  };

  accept({ message, answer }: Received): void {
    const expires = message.headers.get('Expires') ?? '';
    const accepted = answer(200, { Expires: expires, Contact: '<sip:notifier@lab.test>' });
    if (!/;\s*tag=/.test(message.headers.get('To') ?? '')) {
      this.#subscribe = message;
      this.version = 0;
      this.#sequence = 1;
    }
    this.#client.server.send(accepted);
    if (expires === '0') this.notify('', 'terminated;reason=timeout');
    else this.full();
  }

  /** The address of this device as it registered it. */
  get ownUri(): string {
    return parseNameAddress(this.#client.server.last('REGISTER').headers.get('Contact') ?? '').uri;
  }

  own(attributes: string): string {
    return `<contact id="own" ${attributes}><uri>${this.ownUri.replaceAll('&', '&amp;')}</uri></contact>`;
  }

  full(contacts = this.own('state="active" event="registered"')): void {
    this.document(contacts, 'full');
  }

  partial(contacts: string, registration = 'active'): void {
    this.document(contacts, 'partial', registration);
  }

  document(contacts: string, state: string, registration = 'active'): void {
    this.notify(
      `<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="${this.version++}" state="${state}">` +
        `<registration aor="sip:alice@lab.test" id="r" state="${registration}">${contacts}</registration></reginfo>`,
    );
  }

  notify(body: string, state = 'active;expires=3600'): void {
    const { headers } = this.#subscribe!;
    const request = SipMessage.request('NOTIFY', this.ownUri);
    const fields = {
      Via: `SIP/2.0/TLS edge.lab.test;branch=z9hG4bKnotify${this.#sequence}`,
      'Max-Forwards': '70',
      From: `${headers.get('To') ?? ''};tag=s3rver`,
      To: headers.get('From') ?? '',
      'Call-ID': headers.get('Call-ID') ?? '',
      CSeq: `${this.#sequence++} NOTIFY`,
      Contact: '<sip:notifier@lab.test>',
      Event: 'reg',
      'Subscription-State': state,
      ...(body === '' ? {} : { 'Content-Type': 'application/reginfo+xml' }),
    };
    for (const [name, value] of Object.entries(fields)) request.headers.add(name, value);
    request.body = utf8(body);
    this.#client.server.send(request);
  }
}

async function registered(): Promise<SipClient & { readonly notifier: Notifier; readonly devices: OwnDevice[][] }> {
  const client = createClient({ registrationEvents: true });
  started.push(client.userAgent);
  const notifier = new Notifier(client);
  const devices: OwnDevice[][] = [];
  client.userAgent.events.on('ownDevices', (all) => devices.push([...all]));
  await expect(client.userAgent.register()).resolves.toMatchObject({ state: 'registered' });
  await settled();
  return { ...client, notifier, devices };
}

const ended = (event: string, more = ''): string => `state="terminated" event="${event}" ${more}`;

describe('the subscription', () => {
  it('is asked for once the registration stands, once, and ends with it', async () => {
    const { server, userAgent } = await registered();
    const subscribe = server.last('SUBSCRIBE');
    expect(subscribe.start).toMatchObject({ uri: 'sip:alice@lab.test' });
    expect(subscribe.headers.get('Event')).toBe('reg');
    expect(subscribe.headers.get('Accept')).toBe('application/reginfo+xml');
    expect(subscribe.headers.getAll('Security-Verify')).toHaveLength(2);
    await userAgent.register();
    await settled();
    expect(server.count('SUBSCRIBE')).toBe(1);
    await userAgent.unregister();
    await settled();
    expect(server.last('SUBSCRIBE').headers.get('Expires')).toBe('0');
  });

  it('is not asked for where the account does not want it', async () => {
    const client = createClient({ registrationEvents: false });
    started.push(client.userAgent);
    client.server.onRequest = registrar;
    await client.userAgent.register();
    await settled();
    expect(client.server.count('SUBSCRIBE')).toBe(0);
  });

  it.each([489, 403, 404, 405, 501])('is not asked for again in a registration after %i', async (status) => {
    const client = createClient({ registrationEvents: true });
    started.push(client.userAgent);
    client.server.onRequest = (received) => {
      if (received.message.method === 'SUBSCRIBE') received.reply(status);
      else registrar(received);
    };
    await client.userAgent.register();
    await settled();
    client.clock.advance(3_001_000);
    await settled();
    expect(client.server.count('REGISTER')).toBe(3);
    expect(client.server.count('SUBSCRIBE')).toBe(1);
    await client.userAgent.unregister();
    await client.userAgent.register();
    await settled();
    expect(client.server.count('SUBSCRIBE')).toBe(2);
  });

  it('is tried again after a failure that may pass', async () => {
    const client = createClient({ registrationEvents: true });
    started.push(client.userAgent);
    client.server.onRequest = (received) => {
      if (received.message.method === 'SUBSCRIBE') received.reply(503);
      else registrar(received);
    };
    await client.userAgent.register();
    await settled();
    client.clock.advance(60_000);
    await settled();
    expect(client.server.count('SUBSCRIBE')).toBe(2);
  });

  it('begins anew when a document is missing', async () => {
    const { server, notifier } = await registered();
    notifier.version += 2;
    notifier.partial(notifier.own('state="active" event="refreshed"'));
    await settled();
    const fresh = server.requests.filter(
      ({ method, headers }) => method === 'SUBSCRIBE' && !/;\s*tag=/.test(headers.get('To') ?? ''),
    );
    expect(fresh).toHaveLength(2);
  });

  it('is not asked for without end by a notifier whose documents always have gaps', async () => {
    const { server, notifier, clock } = await registered();
    const fresh = (): number =>
      server.requests.filter(
        ({ method, headers }) => method === 'SUBSCRIBE' && !/;\s*tag=/.test(headers.get('To') ?? ''),
      ).length;
    notifier.full = () => {
      notifier.version += 2;
      notifier.partial(notifier.own('state="active" event="refreshed"'));
    };
    notifier.full();
    for (let turn = 0; turn < 10; turn++) await settled();
    expect(fresh()).toBe(2);
    clock.advance(60_000);
    for (let turn = 0; turn < 10; turn++) await settled();
    expect(fresh()).toBe(4);
  });

  it('has a Call-ID and a tag that nobody can guess', async () => {
    const { server } = await registered();
    const { headers } = server.last('SUBSCRIBE');
    expect(headers.get('Call-ID')).toMatch(/^[0-9a-f]{32}$/);
    expect(parseNameAddress(headers.get('From') ?? '').parameters.get('tag')).toMatch(/^[0-9a-f]{32}$/);
  });

  it('takes nothing from a document that cannot be read', async () => {
    const { userAgent, notifier } = await registered();
    notifier.notify('<reginfo');
    await settled();
    expect(userAgent.registration.state).toBe('registered');
  });
});

describe('a registration that the network takes back', () => {
  it.each(['rejected', 'unregistered', 'something-new'])('as %s stays so, and says it', async (event) => {
    const { server, userAgent, clock, notifier } = await registered();
    notifier.partial(notifier.own(ended(event)), 'terminated');
    await settled();
    expect(userAgent.registration).toMatchObject({ state: 'failed', code: 'deregistered', willRetry: false });
    const before = server.count('REGISTER');
    clock.advance(24 * 3600_000);
    await settled();
    expect(server.count('REGISTER')).toBe(before);
  });

  it.each(['deactivated', 'expired'])('as %s is made anew at once', async (event) => {
    const { server, userAgent, states, clock, notifier } = await registered();
    notifier.partial(notifier.own(ended(event)));
    await settled();
    clock.advance(0);
    await settled();
    expect(states.map((state) => state.state)).toEqual([
      'registering',
      'registered',
      'failed',
      'registering',
      'registered',
    ]);
    expect(states[2]).toMatchObject({ code: 'deregistered', willRetry: true });
    expect(userAgent.registration.state).toBe('registered');
    expect(server.requests.filter(({ method }) => method === 'SUBSCRIBE').length).toBeGreaterThan(1);
  });

  it('again and again is made anew more and more rarely', async () => {
    const { server, clock, notifier } = await registered();
    const plain = notifier.onRequest;
    server.onRequest = (received) => {
      plain(received);
      if (received.message.method === 'SUBSCRIBE' && received.message.headers.get('Expires') !== '0') {
        notifier.partial(notifier.own(ended('deactivated')));
      }
    };
    notifier.partial(notifier.own(ended('deactivated')));
    for (let second = 0; second < 60; second++) {
      await settled();
      clock.advance(1_000);
    }
    expect(server.count('REGISTER')).toBeLessThan(40);
  });

  it('on probation is made anew after the time that the network names', async () => {
    const { server, userAgent, clock, notifier } = await registered();
    notifier.partial(notifier.own(ended('probation', 'retry-after="120"')));
    await settled();
    expect(userAgent.registration).toMatchObject({ state: 'failed', code: 'deregistered', willRetry: true });
    const before = server.count('REGISTER');
    clock.advance(119_000);
    await settled();
    expect(server.count('REGISTER')).toBe(before);
    clock.advance(1_000);
    await settled();
    expect(userAgent.registration.state).toBe('registered');
  });

  it('without naming its contacts is over too', async () => {
    const { userAgent, notifier } = await registered();
    notifier.partial('', 'terminated');
    await settled();
    expect(userAgent.registration).toMatchObject({ code: 'deregistered', willRetry: false });
  });

  it('by shortening it is renewed in time', async () => {
    const { server, clock, notifier } = await registered();
    notifier.partial(notifier.own('state="active" event="shortened" expires="60"'));
    await settled();
    const before = server.count('REGISTER');
    clock.advance(30_000);
    await settled();
    expect(server.count('REGISTER')).toBe(before + 1);
  });

  it('does not mean one whose other contact stands', async () => {
    const { userAgent, notifier } = await registered();
    const old = `<contact id="old" ${ended('expired')}><uri>${notifier.ownUri.replace('40001', '39999')}</uri></contact>`;
    notifier.partial(old);
    await settled();
    expect(userAgent.registration.state).toBe('registered');
  });
});

describe('other devices of the user', () => {
  const phone =
    '<contact id="p" state="active" event="registered"><uri>sip:x@198.51.100.9</uri><display-name>Phone</display-name>' +
    '<unknown-param name="+sip.instance">"&lt;urn:uuid:99&gt;"</unknown-param></contact>';
  const desk = '<contact id="d" state="active" event="created"><uri>sip:y@desk.lab.test</uri></contact>';

  it('are told as they come and go, without this one', async () => {
    const { userAgent, devices, notifier } = await registered();
    expect(userAgent.ownDevices).toEqual([]);
    notifier.partial(phone);
    notifier.partial(desk);
    await settled();
    expect(userAgent.ownDevices).toEqual([
      { name: 'Phone', uri: 'sip:x@198.51.100.9', instanceId: 'urn:uuid:99' },
      { name: 'desk.lab.test', uri: 'sip:y@desk.lab.test' },
    ]);
    notifier.partial(phone.replace('state="active" event="registered"', ended('unregistered')));
    await settled();
    expect(devices.map((all) => all.map(({ name }) => name))).toEqual([
      ['Phone'],
      ['Phone', 'desk.lab.test'],
      ['desk.lab.test'],
    ]);
    await userAgent.unregister();
    expect(userAgent.ownDevices).toEqual([]);
  });
});
