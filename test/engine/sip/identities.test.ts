import { afterEach, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import type { SipAccount } from '../../../src/engine/sip/index.ts';
import type { SipProtocol } from '../../../src/engine/ports.ts';
import { accepting, createEdgeClient, type EdgeClient } from '../../support/edge-client.ts';
import { settled } from '../../support/sip-client.ts';

const started: EdgeClient[] = [];
afterEach(async () => {
  for (const { userAgent, pass } of started.splice(0)) await Promise.all([userAgent.stop(), pass(5_000)]);
});

async function registered(
  protocol: SipProtocol,
  account: Partial<SipAccount> = {},
  more: Record<string, string | string[]> = {},
  contactMore = '',
): Promise<EdgeClient> {
  const client = createEdgeClient(protocol, { target: { host: '198.51.100.1', protocol }, ...account });
  started.push(client);
  client.first.onRequest = (request) => {
    const contact = request.message.headers.get('Contact') ?? '';
    if (request.message.method === 'REGISTER' && !contact.endsWith('expires=0')) {
      request.reply(200, { Contact: `${contact}${contactMore}`, ...more });
    } else accepting()(request);
  };
  await client.userAgent.register();
  return client;
}

const message = { to: 'sip:bob@lab.test', contentType: 'text/plain', body: utf8('hello') };
const gruu = 'sip:alice@lab.test;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6';
const negotiator = {
  createOffer: () => Promise.resolve('v=0\r\n'),
  acceptAnswer: () => Promise.resolve(),
  createAnswer: () => Promise.resolve(''),
  close: () => undefined,
};

describe('GRUU', () => {
  it('is learned, shown, and the Contact of dialogs; a MESSAGE has none', async () => {
    const { first, userAgent } = await registered(
      'tcp',
      {},
      {},
      `;pub-gruu="${gruu}";temp-gruu="sip:tgruu.x@lab.test;gr"`,
    );
    expect(userAgent.gruu).toEqual({ public: gruu, temporary: 'sip:tgruu.x@lab.test;gr' });
    await userAgent.sendMessage(message);
    expect(first.last('MESSAGE').message.headers.has('Contact')).toBe(false);
    void userAgent.invite({ to: 'sip:bob@lab.test', negotiator });
    await settled();
    const invite = first.last('INVITE').message;
    expect(invite.headers.get('Contact')).toBe(`<${gruu}>`);
    expect(invite.headers.getAll('Supported')).toEqual(['path, sec-agree, outbound, gruu']);
    await userAgent.unregister();
    expect(userAgent.gruu).toBeUndefined();
  });

  it('of another contact is not ours, and what is no URI is nothing', async () => {
    const other = `<sip:other@192.0.2.1>;pub-gruu="${gruu}"`;
    const { userAgent } = await registered('tcp', {}, {}, `;pub-gruu="<x>", ${other}`);
    expect(userAgent.gruu).toBeUndefined();
  });

  it('is missing in most networks: then the Contact asks for the flow', async () => {
    const { first, userAgent } = await registered('tcp');
    void userAgent.invite({ to: 'sip:bob@lab.test', negotiator });
    await settled();
    expect(first.last('INVITE').message.headers.get('Contact')).toMatch(
      /^<sip:[0-9a-f]{16}@192\.0\.2\.10:\d+;transport=tcp;ob>$/,
    );
  });
});

describe('identities', () => {
  it('that the network associates are told, the default one first', async () => {
    const { userAgent } = await registered('tcp', {}, { 'P-Associated-URI': '<sip:alice@lab.test>, <tel:+491234>' });
    expect(userAgent.registration).toMatchObject({ associatedIdentities: ['sip:alice@lab.test', 'tel:+491234'] });
  });

  it('the preferred one goes with every request but REGISTER', async () => {
    const { first, userAgent } = await registered('tcp', { preferredIdentity: 'tel:+491234' });
    await userAgent.sendMessage(message);
    expect(first.last('MESSAGE').message.headers.getAll('P-Preferred-Identity')).toEqual(['<tel:+491234>']);
    expect(first.last('REGISTER').message.headers.has('P-Preferred-Identity')).toBe(false);
  });
});

describe('what is told of the access', () => {
  it.each([
    ['tls', true],
    ['wss', true],
    ['tcp', false],
    ['udp', false],
    ['ws', false],
  ] as const)('over %s: %s', async (protocol, isTold) => {
    const { first, userAgent } = await registered(protocol, { accessNetworkInfo: 'IEEE-802.11' });
    await userAgent.sendMessage(message);
    for (const method of ['REGISTER', 'MESSAGE']) {
      const values = first.last(method).message.headers.getAll('P-Access-Network-Info');
      expect(values).toEqual(isTold ? ['IEEE-802.11'] : []);
    }
  });
});

describe('what is told of the access over TLS', () => {
  it.each([
    ['authority', true],
    ['pin', true],
    ['first-use', false],
  ] as const)('to a server with the proof %s: %s', async (proof, isTold) => {
    const client = createEdgeClient('tls', {
      target: { host: '198.51.100.1', protocol: 'tls' },
      accessNetworkInfo: 'IEEE-802.11',
    });
    started.push(client);
    client.first.serverProof = proof;
    client.first.onRequest = accepting();
    await client.userAgent.register();
    await client.userAgent.sendMessage(message);
    for (const method of ['REGISTER', 'MESSAGE']) {
      const values = client.first.last(method).message.headers.getAll('P-Access-Network-Info');
      expect(values).toEqual(isTold ? ['IEEE-802.11'] : []);
    }
  });
});

describe('a WebSocket', () => {
  it.each([
    ['ws', 'WS', false],
    ['wss', 'WSS', true],
  ] as const)('over %s carries a message each, with its Via and Contact', async (protocol, via, isProtected) => {
    const { first, userAgent } = await registered(protocol);
    await expect(userAgent.sendMessage({ ...message, body: utf8('x'.repeat(5_000)) })).resolves.toMatchObject({
      status: 200,
    });
    const { headers } = first.last('REGISTER').message;
    expect(headers.get('Via')).toContain(`SIP/2.0/${via} `);
    // RFC 7118 clause 5.2: there is no `wss` in a URI.
    expect(headers.get('Contact')).toContain(';transport=ws>');
    expect(headers.has('Security-Client')).toBe(isProtected);
    expect(userAgent.flow?.tls === undefined).toBe(!isProtected);
  });

  it('is kept alive by its own Ping, and lost without Pong', async () => {
    const { first, userAgent, pass } = await registered('ws');
    await pass(130_000);
    expect(first.pings).toBeGreaterThan(0);
    first.answersPings = false;
    first.isDown = true;
    await pass(140_000);
    expect(userAgent.flow).toBeUndefined();
  });

  it('takes keep-alives of the server for what they are', async () => {
    const { first, userAgent } = await registered('ws');
    first.newest().deliver(utf8('\r\n\r\n'));
    await expect(userAgent.sendMessage(message)).resolves.toMatchObject({ status: 200 });
  });
});
