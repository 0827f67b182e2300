import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import type { SipUserAgent, SubscriptionEnd } from '../../../src/engine/sip/index.ts';
import type { SipMessage } from '../../../src/protocol/sip/message.ts';
import {
  challenges,
  createRegisteredClient,
  isAuthorized,
  serve,
  settled,
  type SipClient,
} from '../../support/sip-client.ts';

let client: SipClient;
beforeEach(async () => {
  client = await createRegisteredClient();
});
afterEach(() => client.userAgent.stop());

interface Heard {
  readonly bodies: string[];
  readonly states: string[];
  readonly ends: SubscriptionEnd[];
  readonly subscription: ReturnType<SipUserAgent['subscribe']>;
}

function subscribe(): Heard {
  const [bodies, states, ends]: [string[], string[], SubscriptionEnd[]] = [[], [], []];
  const subscription = client.userAgent.subscribe({
    to: 'sip:bob@lab.test',
    event: 'presence',
    accept: 'application/pidf+xml',
    expires: 600,
    onNotify: ({ contentType, body }) => bodies.push(`${contentType} ${new TextDecoder().decode(body)}`),
    onState: (state) => states.push(state),
    onEnded: (why) => ends.push(why),
  });
  return { bodies, states, ends, subscription };
}

let cseq = 100;

/** In the dialog of the last SUBSCRIBE that was answered. */
function notify(state: string, body = ''): void {
  const asked = client.server.last('SUBSCRIBE');
  const request = client.server.createRequest(
    'NOTIFY',
    client.server.contactUri(),
    {
      From: '<sip:bob@lab.test>;tag=s3rver',
      To: asked.headers.get('From') ?? '',
      'Call-ID': asked.headers.get('Call-ID') ?? '',
      CSeq: `${++cseq} NOTIFY`,
      Event: 'presence',
      'Subscription-State': state,
      ...(body === '' ? {} : { 'Content-Type': 'application/pidf+xml' }),
    },
    utf8(body),
  );
  client.server.send(request);
}

describe('subscribe', () => {
  it('asks, hears every notification, and says when it is pending and active', async () => {
    serve(client.server, ({ reply }) => reply(202, { Expires: '600' }));
    const heard = subscribe();
    await settled();
    const asked = client.server.last('SUBSCRIBE');
    expect(asked.start).toMatchObject({ uri: 'sip:bob@lab.test' });
    expect(asked.headers.get('Event')).toBe('presence');
    expect(asked.headers.get('Accept')).toBe('application/pidf+xml');
    expect(asked.headers.get('Expires')).toBe('600');
    notify('pending;expires=600');
    await settled();
    notify('active;expires=600', '<a/>');
    await settled();
    notify('active;expires=500', '<b/>');
    await settled();
    expect(heard).toMatchObject({
      states: ['pending', 'active', 'active'],
      bodies: ['application/pidf+xml <a/>', 'application/pidf+xml <b/>'],
      ends: [],
    });
    expect(client.server.responses.map((response) => response.status)).toEqual([200, 200, 200]);
  });

  it('answers a challenge', async () => {
    serve(client.server, (received) => {
      if (isAuthorized(received)) received.reply(200, { Expires: '600' });
      else received.reply(407, { 'Proxy-Authenticate': challenges.sha256 });
    });
    const heard = subscribe();
    await settled();
    notify('active;expires=600', '<a/>');
    await settled();
    expect(heard.bodies).toHaveLength(1);
  });

  it.each([404, 405, 489, 403, 302])('tells that it was refused with %i', async (status) => {
    serve(client.server, ({ reply }) => reply(status));
    const { ends } = subscribe();
    await settled();
    expect(ends).toEqual([{ status }]);
  });

  it.each([
    ['terminated;reason=rejected', { reason: 'rejected' }],
    ['terminated;reason=probation;retry-after=60', { reason: 'probation', retryAfterSeconds: 60 }],
    ['terminated;reason=deactivated', { reason: 'deactivated' }],
    ['terminated', {}],
  ])('%s ends it, with its last words, and nothing is asked again by itself', async (state, expected) => {
    serve(client.server, ({ reply }) => reply(200, { Expires: '600' }));
    const heard = subscribe();
    await settled();
    notify('active;expires=600', '<a/>');
    await settled();
    notify(state, '<b/>');
    await settled();
    expect(heard.ends).toEqual([expected]);
    expect(heard.bodies).toHaveLength(2);
    expect(client.server.count('SUBSCRIBE')).toBe(1);
  });

  it('is refused at once by a first notification that ends it', async () => {
    serve(client.server, ({ reply }) => reply(200, { Expires: '600' }));
    const { ends } = subscribe();
    await settled();
    notify('terminated;reason=noresource');
    await settled();
    expect(ends).toEqual([{ reason: 'noresource' }]);
  });

  it('tells the notifier when we end it, and nothing more to us', async () => {
    serve(client.server, ({ reply }) => reply(200, { Expires: '600' }));
    const heard = subscribe();
    await settled();
    notify('active;expires=600', '<a/>');
    await settled();
    heard.subscription.end();
    await settled();
    expect(client.server.last('SUBSCRIBE').headers.get('Expires')).toBe('0');
    notify('terminated;reason=timeout', '<b/>');
    await settled();
    expect(heard).toMatchObject({ ends: [], bodies: ['application/pidf+xml <a/>'] });
    expect(client.server.count('SUBSCRIBE')).toBe(2);
  });

  it('ended before the first notification, refuses that', async () => {
    serve(client.server, ({ reply }) => reply(200, { Expires: '600' }));
    const heard = subscribe();
    await settled();
    heard.subscription.end();
    notify('active;expires=600', '<a/>');
    await settled();
    expect(heard).toMatchObject({ ends: [], bodies: [] });
    expect(client.server.responses.at(-1)?.status).toBe(481);
  });
});

describe('publish', () => {
  const content = { contentType: 'application/pidf+xml', body: utf8('<a/>') };
  const publication = { to: 'sip:alice@lab.test', event: 'presence', expires: 600 };

  it('sends the document with its event and gives the answer, with the tag', async () => {
    serve(client.server, (received) => {
      if (isAuthorized(received)) received.reply(200, { 'SIP-ETag': 'abc', Expires: '300' });
      else received.reply(401, { 'WWW-Authenticate': challenges.sha256 });
    });
    const reply = await client.userAgent.publish({ ...publication, content });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('SIP-ETag')).toBe('abc');
    const sent: SipMessage = client.server.last('PUBLISH');
    expect(sent.headers.get('Event')).toBe('presence');
    expect(sent.headers.get('Expires')).toBe('600');
    expect(sent.headers.get('Content-Type')).toBe('application/pidf+xml');
    expect(sent.headers.has('SIP-If-Match')).toBe(false);
    expect(new TextDecoder().decode(sent.body)).toBe('<a/>');
  });

  it('renews and takes away without a document; a refusal is an answer', async () => {
    serve(client.server, ({ reply }) => reply(489));
    expect((await client.userAgent.publish({ ...publication, ifMatch: 'abc', expires: 0 })).status).toBe(489);
    const sent = client.server.last('PUBLISH');
    expect(sent.headers.get('SIP-If-Match')).toBe('abc');
    expect(sent.headers.get('Content-Length')).toBe('0');
    await expect(client.userAgent.publish({ ...publication, ifMatch: 'a\r\nX: y' })).rejects.toMatchObject({
      kind: 'local',
    });
  });
});
