import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromUtf8, utf8 } from '../../src/base/bytes.ts';
import { type Lab, startLab } from '../../src/lab/lab.ts';
import { formatNameAddress, parseNameAddress } from '../../src/protocol/sip/headers.ts';
import type { SipMessage } from '../../src/protocol/sip/message.ts';
import { readXml } from '../../src/protocol/xml/index.ts';
import { ScriptedUe } from './support/scripted-ue.ts';

let lab: Lab;
let ues: ScriptedUe[];

async function registered(name: string): Promise<ScriptedUe> {
  const ue = await ScriptedUe.connect(lab, name);
  ues.push(ue);
  expect((await ue.register()).status).toBe(200);
  return ue;
}

async function subscribe(ue: ScriptedUe, uri: string, event: string, expires = '600'): Promise<SipMessage> {
  const request = ue.request('SUBSCRIBE', uri);
  request.headers.add('Event', event).add('Expires', expires);
  return ue.ask(request);
}

/** The next NOTIFY, answered. */
async function notified(ue: ScriptedUe, status = 200): Promise<{ readonly state: string; readonly body: string }> {
  const notify = await ue.incoming('NOTIFY');
  ue.reply(notify, status);
  return { state: notify.headers.get('Subscription-State') ?? '', body: fromUtf8(notify.body) };
}

const pidf = (basic: string, note: string): string =>
  '<?xml version="1.0" encoding="UTF-8"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@lab.test">' +
  `<tuple id="a"><status><basic>${basic}</basic></status><note>${note}</note></tuple></presence>`;

function publication(ue: ScriptedUe, body: string, headers: Readonly<Record<string, string>> = {}): SipMessage {
  const request = ue.request(
    'PUBLISH',
    ue.identity,
    body === '' ? undefined : { type: 'application/pidf+xml', text: body },
  );
  request.headers.add('Event', 'presence');
  for (const [name, value] of Object.entries(headers)) request.headers.add(name, value);
  return request;
}

beforeEach(async () => {
  ues = [];
  lab = await startLab({ bsf: false });
});

afterEach(async () => {
  for (const ue of ues) ue.close();
  await lab.stop();
});

describe('registration events', () => {
  test('tell a device of every contact of its user, and of the end of each', async () => {
    const alice = await registered('alice');
    const reply = await subscribe(alice, alice.identity, 'reg');
    expect(reply.status).toBe(200);
    expect(reply.headers.get('Expires')).toBe('600');
    const first = await notified(alice);
    expect(first.state).toMatch(/^active;expires=\d+$/);
    const root = readXml(utf8(first.body), 'test');
    expect(root).toMatchObject({ name: 'reginfo', attributes: { version: '0', state: 'full' } });
    expect(root.children[0]).toMatchObject({ attributes: { aor: 'sip:alice@lab.test', state: 'active' } });
    expect(root.children[0]?.children).toHaveLength(1);

    const other = await registered('alice');
    const second = readXml(utf8((await notified(alice)).body), 'test');
    expect(second.attributes['version']).toBe('1');
    expect(second.children[0]?.children).toHaveLength(2);
    other.close();
    const third = readXml(utf8((await notified(alice)).body), 'test');
    expect(third.children[0]?.children.map(({ attributes }) => attributes['event'])).toEqual(['registered', 'expired']);
  });

  test.each(['deactivated', 'probation', 'rejected'] as const)(
    'tell that the network ended the registration: %s',
    async (why) => {
      const alice = await registered('alice');
      await subscribe(alice, alice.identity, 'reg');
      await notified(alice);
      expect(lab.deregister('alice', why, why === 'probation' ? 7 : undefined)).toBe(1);
      const root = readXml(utf8((await notified(alice)).body), 'test');
      expect(root.children[0]).toMatchObject({ attributes: { state: 'terminated' } });
      expect(root.children[0]?.children[0]?.attributes).toMatchObject({
        state: 'terminated',
        event: why,
        ...(why === 'probation' ? { 'retry-after': '7' } : {}),
      });
      const refused = await alice.ask(alice.request('MESSAGE', 'sip:bob@lab.test', { type: 'text/plain', text: 'x' }));
      expect(refused.status).toBe(403);
      expect((await alice.register()).status).toBe(200);
      expect(() => lab.deregister('nobody', why)).toThrow(RangeError);
    },
  );

  test('are for the user alone, end when asked, and do not go on for a device that knows nothing of them', async () => {
    const alice = await registered('alice');
    const bob = await registered('bob');
    expect((await subscribe(bob, alice.identity, 'reg')).status).toBe(403);
    const once = await subscribe(bob, bob.identity, 'reg', '0');
    expect(once.status).toBe(200);
    expect((await notified(bob)).state).toBe('terminated;reason=timeout');

    const reply = await subscribe(alice, alice.identity, 'reg');
    await notified(alice, 481);
    const again = alice.request('SUBSCRIBE', parseNameAddress(reply.headers.get('Contact') ?? '').uri);
    again.headers
      .set('From', reply.headers.get('From') ?? '')
      .set('To', reply.headers.get('To') ?? '')
      .set('Call-ID', reply.headers.get('Call-ID') ?? '')
      .add('Event', 'reg');
    expect((await alice.ask(again)).status).toBe(481);
  });

  test('a subscription is refreshed inside its dialog', async () => {
    const alice = await registered('alice');
    const reply = await subscribe(alice, alice.identity, 'reg');
    await notified(alice);
    const again = alice.request('SUBSCRIBE', parseNameAddress(reply.headers.get('Contact') ?? '').uri);
    again.headers
      .set('From', reply.headers.get('From') ?? '')
      .set('To', formatNameAddress(parseNameAddress(reply.headers.get('To') ?? '')))
      .set('Call-ID', reply.headers.get('Call-ID') ?? '')
      .add('Event', 'reg')
      .add('Expires', '60');
    const refreshed = await alice.ask(again);
    expect([refreshed.status, refreshed.headers.get('Expires')]).toEqual([200, '60']);
    expect(readXml(utf8((await notified(alice)).body), 'test').attributes['version']).toBe('1');
  });
});

describe('presence', () => {
  test('goes from whoever publishes to whoever watches', async () => {
    const alice = await registered('alice');
    const bob = await registered('bob');
    await subscribe(bob, alice.identity, 'presence');
    expect((await notified(bob)).body).toContain('<basic>closed</basic>');

    const published = await alice.ask(publication(alice, pidf('open', 'here')));
    expect(published.status).toBe(200);
    expect((await notified(bob)).body).toContain('here');
    const tag = published.headers.get('SIP-ETag') ?? '';
    const refreshed = await alice.ask(publication(alice, '', { 'SIP-If-Match': tag }));
    expect(refreshed.status).toBe(200);
    const newTag = refreshed.headers.get('SIP-ETag') ?? '';
    expect(newTag).not.toBe(tag);
    expect((await alice.ask(publication(alice, pidf('open', 'x'), { 'SIP-If-Match': tag }))).status).toBe(412);
    const changed = await alice.ask(publication(alice, pidf('closed', 'away'), { 'SIP-If-Match': newTag }));
    expect((await notified(bob)).body).toContain('away');
    await alice.ask(publication(alice, '', { 'SIP-If-Match': changed.headers.get('SIP-ETag') ?? '', Expires: '0' }));
    expect((await notified(bob)).body).not.toContain('away');
  });

  test('is refused for somebody else, of another kind, and in another format', async () => {
    const alice = await registered('alice');
    const other = publication(alice, pidf('open', 'x'));
    other.start = { kind: 'request', method: 'PUBLISH', uri: 'sip:bob@lab.test' };
    expect((await alice.ask(other)).status).toBe(403);
    const weather = publication(alice, pidf('open', 'x'));
    weather.headers.set('Event', 'weather');
    expect((await alice.ask(weather)).status).toBe(489);
    expect((await alice.ask(publication(alice, 'no xml'))).status).toBe(415);
    expect((await alice.ask(publication(alice, ''))).status).toBe(400);
  });
});
