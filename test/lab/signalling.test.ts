import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromUtf8, utf8 } from '../../src/base/bytes.ts';
import { type Lab, startLab } from '../../src/lab/lab.ts';
import { ScriptedUe, userOf } from './support/scripted-ue.ts';

const text = (body: string): { type: string; text: string } => ({ type: 'text/plain', text: body });
const mediasec = ['tls', 'msrp-tls;mediasec'];

let lab: Lab;
let ues: ScriptedUe[];

async function connect(name: string, transport: 'tls' | 'tcp' = 'tls'): Promise<ScriptedUe> {
  const ue = await ScriptedUe.connect(lab, name, transport);
  ues.push(ue);
  return ue;
}

async function registered(name: string, transport: 'tls' | 'tcp' = 'tls'): Promise<ScriptedUe> {
  const ue = await connect(name, transport);
  expect((await ue.register()).status).toBe(200);
  return ue;
}

beforeEach(async () => {
  ues = [];
  lab = await startLab({ times: { silentBranch: 400 } });
});

afterEach(async () => {
  for (const ue of ues) ue.close();
  await lab.stop();
});

describe('registration', () => {
  test.each(['SHA-256', 'MD5'] as const)('takes digest with %s', async (algorithm) => {
    const alice = await connect('alice');
    expect((await alice.register({ algorithm })).status).toBe(200);
    const [challenge, ok] = alice.received;
    const offered = challenge?.headers.getAll('WWW-Authenticate').map((value) => /algorithm=([^,]+)/.exec(value)?.[1]);
    expect(offered).toEqual(['SHA-256', 'MD5']);
    expect(ok?.headers.get('P-Associated-URI')).toBe('<sip:alice@lab.test>');
    expect(ok?.headers.get('Service-Route')).toContain(`:${lab.sip.tls.port};`);
    expect(ok?.headers.has('Security-Server')).toBe(false);
  });

  test('refuses a wrong password and an unknown user', async () => {
    expect((await (await connect('alice')).register({ password: 'wrong' })).status).toBe(403);
    const stranger = await connect('mallory');
    expect((await stranger.register()).status).toBe(404);
  });

  test('answers the security agreement and demands the mirror of its list', async () => {
    const alice = await connect('alice');
    const ok = await alice.register({ securityClient: mediasec });
    expect(ok.status).toBe(200);
    for (const reply of alice.received) {
      expect(reply.headers.getAll('Security-Server')).toEqual(['tls;q=0.2', 'msrp-tls;mediasec']);
    }
    const bob = await registered('bob');
    const request = alice.request('MESSAGE', bob.identity, text('x'));
    request.headers.remove('Security-Verify');
    const refused = await alice.ask(request);
    expect(refused.status).toBe(494);
    expect(refused.headers.getAll('Security-Server')).toEqual(['tls;q=0.2', 'msrp-tls;mediasec']);

    const mirrored = alice.request('MESSAGE', bob.identity, text('x'));
    const sent = alice.ask(mirrored);
    const arrived = await bob.incoming('MESSAGE');
    for (const name of ['Security-Verify', 'Require', 'Proxy-Require']) expect(arrived.headers.has(name)).toBe(false);
    bob.reply(arrived, 200);
    expect((await sent).status).toBe(200);
  });

  test('refuses a REGISTER whose mirrored list was changed', async () => {
    const alice = await connect('alice');
    const reply = await alice.register({ securityClient: mediasec, securityVerify: ['msrp-tls;mediasec'] });
    expect(reply.status).toBe(494);
  });

  test('a TCP flow is not told that it has TLS', async () => {
    const alice = await connect('alice', 'tcp');
    const ok = await alice.register({ securityClient: mediasec });
    expect(ok.headers.getAll('Security-Server')).toEqual(['msrp-tls;mediasec']);
  });

  test('ends with its expiry, with expires=0 and with its connection', async () => {
    const alice = await registered('alice');
    const short = await connect('bob');
    expect((await short.register({ expires: 1 })).headers.get('Contact')).toContain('expires=1');
    await new Promise((resolve) => setTimeout(resolve, 1200));
    const invite = (to: ScriptedUe) =>
      alice.ask(alice.request('INVITE', to.identity, { type: 'application/sdp', text: 'v' }));
    expect((await invite(short)).status).toBe(480);
    const bob = await registered('bob');
    expect((await bob.register({ expires: 0 })).headers.has('Contact')).toBe(false);
    expect((await invite(bob)).status).toBe(480);
    const carol = await registered('carol');
    carol.close();
    await expect.poll(() => lab.load().flows).toBe(3);
    expect((await invite(carol)).status).toBe(480);
  });
});

describe('MESSAGE', () => {
  test('goes from one user to another with the asserted identity', async () => {
    const alice = await registered('alice');
    const bob = await registered('bob', 'tcp');
    const request = alice.request('MESSAGE', bob.identity, text('hello ✓'));
    request.headers.add('P-Asserted-Identity', '<sip:carol@lab.test>');
    const sent = alice.ask(request);
    const arrived = await bob.incoming('MESSAGE');
    expect(fromUtf8(arrived.body)).toBe('hello ✓');
    expect(arrived.headers.getAll('P-Asserted-Identity')).toEqual(['<sip:alice@lab.test>']);
    expect(arrived.headers.get('P-Called-Party-ID')).toBe('<sip:bob@lab.test>');
    expect(arrived.start).toMatchObject({ uri: bob.contact });
    bob.reply(arrived, 200);
    const reply = await sent;
    expect(reply.status).toBe(200);
    expect(reply.headers.getAll('Via')).toHaveLength(1);
    expect(lab.captured.map(({ method }) => method)).toEqual(['MESSAGE']);
  });

  test('is refused under a false From, from a stranger, and to nobody', async () => {
    const alice = await registered('alice');
    const spoofed = alice.request('MESSAGE', 'sip:bob@lab.test', text('x'));
    spoofed.headers.set('From', '<sip:carol@lab.test>;tag=1');
    expect((await alice.ask(spoofed)).status).toBe(403);
    expect((await alice.ask(alice.request('MESSAGE', 'sip:nobody@lab.test', text('x')))).status).toBe(404);
    expect((await alice.ask(alice.request('MESSAGE', 'sip:bob@elsewhere.test', text('x')))).status).toBe(404);
    const stranger = await connect('bob');
    expect((await stranger.ask(stranger.request('MESSAGE', alice.identity, text('x')))).status).toBe(403);
  });

  test('waits for an absent user and comes when it registers', async () => {
    const alice = await registered('alice');
    for (const body of ['one', 'two']) {
      expect((await alice.ask(alice.request('MESSAGE', 'sip:bob@lab.test', text(body)))).status).toBe(202);
    }
    const bob = await registered('bob');
    const bodies = [await bob.incoming('MESSAGE'), await bob.incoming('MESSAGE')].map((message) => {
      bob.reply(message, 200);
      expect(userOf(message.headers.get('P-Asserted-Identity'))).toBe('alice');
      return fromUtf8(message.body);
    });
    expect(bodies).toEqual(['one', 'two']);
    expect((await bob.register()).status).toBe(200);
    expect(bob.received.filter(({ method }) => method === 'MESSAGE')).toHaveLength(2);
  });

  test('is kept when the user leaves before answering', async () => {
    const alice = await registered('alice');
    await alice.ask(alice.request('MESSAGE', 'sip:bob@lab.test', text('kept')));
    const gone = await registered('bob');
    await gone.incoming('MESSAGE');
    gone.close();
    await expect.poll(() => lab.load().flows).toBe(1);
    const bob = await registered('bob');
    expect(fromUtf8((await bob.incoming('MESSAGE')).body)).toBe('kept');
  });

  test('reaches all contacts; the first success is the answer', async () => {
    const alice = await registered('alice');
    const bobs = [await registered('bob'), await registered('bob')] as const;
    const sent = alice.ask(alice.request('MESSAGE', 'sip:bob@lab.test', text('x')));
    const arrived = [await bobs[0].incoming('MESSAGE'), await bobs[1].incoming('MESSAGE')] as const;
    bobs[0].reply(arrived[0], 486);
    bobs[1].reply(arrived[1], 200);
    expect((await sent).status).toBe(200);
  });

  test('gets 408 when the only contact is silent', async () => {
    const alice = await registered('alice');
    const bob = await registered('bob');
    const sent = alice.ask(alice.request('MESSAGE', bob.identity, text('x')));
    const arrived = await bob.incoming('MESSAGE');
    expect((await sent).status).toBe(408);
    bob.reply(arrived, 200);
    expect((await alice.ask(alice.request('OPTIONS', 'sip:lab.test'))).status).toBe(200);
  });
});

describe('faults', () => {
  test('a MESSAGE is replayed in a new transaction', async () => {
    const alice = await registered('alice');
    const bob = await registered('bob');
    lab.faults.replayMessages = true;
    const sent = alice.ask(alice.request('MESSAGE', bob.identity, text('again')));
    const first = await bob.incoming('MESSAGE');
    bob.reply(first, 200);
    await sent;
    const second = await bob.incoming('MESSAGE');
    bob.reply(second, 400);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('Call-ID')).not.toBe(first.headers.get('Call-ID'));
    await expect.poll(() => lab.replays()).toEqual([400]);
  });

  test('one bit of the pkcs7-mime part is turned, nothing else', async () => {
    const alice = await registered('alice');
    const bob = await registered('bob');
    lab.faults.flipCmsBit = true;
    const cms = Uint8Array.from({ length: 100 }, (_, index) => index + 100);
    const request = alice.request('MESSAGE', bob.identity, { type: 'multipart/mixed;boundary=b', text: '' });
    request.body = Buffer.concat([
      utf8('--b\r\nContent-Type: application/mikey\r\n\r\nAAAA\r\n--b\r\nContent-Type: application/pkcs7-mime\r\n\r\n'),
      cms,
      utf8('\r\n--b--\r\n'),
    ]);
    const stolen = lab.nextMessageBody();
    void alice.ask(request).catch(() => undefined);
    const { body } = await bob.incoming('MESSAGE');
    const differing = [...body].flatMap((octet, at) => (octet === request.body[at] ? [] : [octet ^ request.body[at]!]));
    expect(body.length).toBe(request.body.length);
    expect(differing).toEqual([1]);
    expect((await stolen).body).toEqual(Uint8Array.from(request.body));
  });
});

describe('bad input', () => {
  test('malformed requests get 400 and the edge lives on', async () => {
    const alice = await registered('alice');
    alice.socket.write(
      'MESSAGE sip:bob@lab.test SIP/2.0\r\nVia: SIP/2.0/TLS 1.2.3.4;branch=z9hG4bK1\r\nCSeq: x\r\nl: 0\r\n\r\n',
    );
    expect((await alice.expect((message) => message.status === 400)).headers.get('Via')).toContain('z9hG4bK1');
    alice.socket.write('what is this\r\nVia: SIP/2.0/TLS 1.2.3.4;branch=z9hG4bK2\r\nContent-Length: 0\r\n\r\n');
    await alice.expect((message) => message.status === 400);
    alice.socket.write('SIP/2.0 200 OK\r\nVia: nonsense\r\nContent-Length: 0\r\n\r\n');
    expect((await alice.ask(alice.request('OPTIONS', 'sip:lab.test'))).status).toBe(200);
    expect((await alice.ask(alice.request('MESSAGE', 'tel:+4930123', text('x')))).status).toBe(416);
    const hops = alice.request('MESSAGE', 'sip:bob@lab.test', text('x'));
    hops.headers.set('Max-Forwards', '0');
    expect((await alice.ask(hops)).status).toBe(483);
    const option = alice.request('MESSAGE', 'sip:bob@lab.test', text('x'));
    option.headers.add('Proxy-Require', 'levitation');
    expect((await alice.ask(option)).headers.get('Unsupported')).toBe('levitation');
  });

  test('a stream without Content-Length is answered and closed', async () => {
    const alice = await connect('alice', 'tcp');
    alice.socket.write('MESSAGE sip:b@lab.test SIP/2.0\r\nVia: SIP/2.0/TCP 1.2.3.4;branch=z9hG4bK3\r\n\r\n');
    await alice.expect((message) => message.status === 400);
    await expect.poll(() => alice.isClosed).toBe(true);
    const noise = await connect('alice');
    noise.socket.write(Uint8Array.from({ length: 100_000 }, (_, index) => index % 251));
    await expect.poll(() => noise.isClosed).toBe(true);
    await registered('alice');
  });

  test('pings are answered', async () => {
    const alice = await connect('alice', 'tcp');
    const pong = new Promise<Buffer>((resolve) => alice.socket.once('data', resolve));
    alice.socket.write('\r\n\r\n');
    expect((await pong).toString()).toBe('\r\n');
  });
});
