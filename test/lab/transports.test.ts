import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { fromUtf8 } from '../../src/base/bytes.ts';
import { type Lab, startLab } from '../../src/lab/lab.ts';
import { decodeStun, encodeStun } from '../../src/protocol/stun/index.ts';
import type { SipProtocol } from '../../src/engine/ports.ts';
import { ScriptedUe } from './support/scripted-ue.ts';

const text = (body: string): { type: string; text: string } => ({ type: 'text/plain', text: body });

const sipProtocols: readonly SipProtocol[] = ['udp', 'tcp', 'tls', 'ws', 'wss'];

let lab: Lab;
let ues: ScriptedUe[];

async function registered(name: string, transport: SipProtocol): Promise<ScriptedUe> {
  const ue = await ScriptedUe.connect(lab, name, transport);
  ues.push(ue);
  expect((await ue.register()).status).toBe(200);
  return ue;
}

beforeEach(async () => {
  ues = [];
  // Short enough that retransmissions come at once.
  lab = await startLab({ udpTimes: { t1: 200, t2: 800 } });
});

afterEach(async () => {
  for (const ue of ues) ue.close();
  await lab.stop();
});

describe('every transport', () => {
  test.each(sipProtocols)('%s carries registration and messages both ways', async (transport) => {
    const alice = await registered('alice', transport);
    const bob = await registered('bob', 'tls');
    const routes = alice.received.at(-1)?.headers.get('Service-Route');
    expect(routes).toContain(`:${lab.sip[transport].port};transport=${transport === 'wss' ? 'ws' : transport}`);
    for (const [from, to] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const sent = from.ask(from.request('MESSAGE', to.identity, text(`to ${to.name} ✓`)));
      const arrived = await to.incoming('MESSAGE');
      expect(fromUtf8(arrived.body)).toBe(`to ${to.name} ✓`);
      to.reply(arrived, 200);
      expect((await sent).status).toBe(200);
    }
  });

  test('only TLS and WSS get a security agreement by TLS', async () => {
    for (const transport of sipProtocols) {
      const ue = await ScriptedUe.connect(lab, 'alice', transport);
      ues.push(ue);
      const ok = await ue.register({ securityClient: ['tls', 'msrp-tls;mediasec'] });
      const secure = transport === 'tls' || transport === 'wss';
      const expected = secure ? ['tls;q=0.2', 'msrp-tls;mediasec'] : ['msrp-tls;mediasec'];
      expect(ok.headers.getAll('Security-Server')).toEqual(expected);
    }
  });

  test('what WebSocket masks is found in the record of ws and not of wss', async () => {
    const [alice, bob] = [await registered('alice', 'ws'), await registered('bob', 'wss')];
    const sent = alice.ask(alice.request('MESSAGE', bob.identity, text('a marker for the record')));
    bob.reply(await bob.incoming('MESSAGE'), 200);
    await sent;
    const { accessLeg } = lab.recorder.find('a marker for the record');
    expect(accessLeg.where).toEqual(['alice SIP ws-1 from UE']);
  });
});

describe('WebSocket', () => {
  test('without the subprotocol sip is refused', async () => {
    const { host, port } = lab.sip.ws;
    const socket = new WebSocket(`ws://${host}:${port}/`, 'chat');
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toContain('400');
  });

  test('a ping frame and a CRLF keep-alive are answered', async () => {
    const alice = await registered('alice', 'ws');
    const socket = alice.wire.webSocket as WebSocket;
    const pong = once(socket, 'pong');
    socket.ping('x');
    await pong;
    const answer = once(socket, 'message');
    socket.send('\r\n\r\n');
    expect(String((await answer)[0])).toBe('\r\n');
  });
});

describe('UDP', () => {
  test('shares its port with TCP', () => {
    expect(lab.sip.udp).toEqual(lab.sip.tcp);
  });

  test('STUN tells the UE its address', async () => {
    const alice = await ScriptedUe.connect(lab, 'alice', 'udp');
    ues.push(alice);
    const transactionId = Uint8Array.from({ length: 12 }, (_, index) => index);
    const answer = new Promise<Uint8Array>((resolve) => alice.wire.onMessage(resolve));
    alice.wire.send(encodeStun({ kind: 'request', transactionId }));
    expect(decodeStun(await answer)).toEqual({
      kind: 'success',
      transactionId,
      mapped: { host: '127.0.0.1', port: alice.wire.localPort },
    });
  });

  test('a retransmitted request is handled once and answered again', async () => {
    const [alice, bob] = [await registered('alice', 'udp'), await registered('bob', 'tls')];
    const request = alice.request('MESSAGE', bob.identity, text('once'));
    alice.send(request);
    alice.send(request);
    bob.reply(await bob.incoming('MESSAGE'), 200);
    expect((await alice.response(request)).status).toBe(200);
    alice.send(request);
    expect((await alice.response(request)).status).toBe(200);
    // What is sent after it arrives after it: nothing came in between.
    const last = alice.ask(alice.request('MESSAGE', bob.identity, text('last')));
    expect(fromUtf8((await bob.incoming('MESSAGE')).body)).toBe('last');
    bob.reply(bob.received.at(-1)!, 200);
    await last;
  });

  test('a request is sent again until it is answered', async () => {
    const [alice, bob] = [await registered('alice', 'tls'), await registered('bob', 'udp')];
    const sent = alice.ask(alice.request('MESSAGE', bob.identity, text('again')));
    const first = await bob.incoming('MESSAGE');
    const second = await bob.incoming('MESSAGE');
    expect(second.headers.get('Via')).toBe(first.headers.get('Via'));
    bob.reply(second, 200);
    expect((await sent).status).toBe(200);
  });

  test('a refused INVITE is told again until it is acknowledged', async () => {
    const alice = await registered('alice', 'udp');
    const invite = alice.request('INVITE', 'sip:bob@lab.test', { type: 'application/sdp', text: 'v' });
    alice.send(invite);
    const refusal = await alice.response(invite);
    expect(refusal.status).toBe(480);
    await alice.response(invite);
    const ack = alice.request('ACK', 'sip:bob@lab.test');
    ack.headers
      .set('Via', invite.headers.get('Via') ?? '')
      .set('CSeq', invite.headers.get('CSeq')!.replace('INVITE', 'ACK'));
    alice.send(ack);
    expect((await alice.ask(alice.request('OPTIONS', 'sip:lab.test'))).status).toBe(200);
  });

  test('messages get through a network that loses, doubles and reorders', async () => {
    await lab.stop();
    lab = await startLab({ udpTimes: { t1: 40, t2: 320 } });
    const [alice, bob] = [await registered('alice', 'udp'), await registered('bob', 'udp')];
    Object.assign(lab.faults, { udpLoss: 0.2, udpDuplication: 0.2, udpReordering: 0.2 });
    for (let number = 0; number < 10; number++) {
      const request = alice.request('MESSAGE', bob.identity, text(`number ${number}`));
      const repeating = setInterval(() => alice.send(request), 50);
      const answering = setInterval(() => {
        for (const message of bob.received) if (message.method === 'MESSAGE') bob.reply(message, 200);
      }, 50);
      const reply = await alice.ask(request);
      clearInterval(repeating);
      clearInterval(answering);
      expect(reply.status).toBe(200);
    }
    const bodies = new Set(bob.received.filter(({ method }) => method === 'MESSAGE').map(({ body }) => fromUtf8(body)));
    expect(bodies.size).toBe(10);
  });

  test('where fragments are lost, a long message does not arrive, and over TCP at the same port it does', async () => {
    lab.faults.udpFragmentsLost = true;
    const [alice, bob] = [await registered('alice', 'udp'), await registered('bob', 'tls')];
    alice.send(alice.request('MESSAGE', bob.identity, text('long '.repeat(400))));
    const short = alice.ask(alice.request('MESSAGE', bob.identity, text('short')));
    const arrived = await bob.incoming('MESSAGE');
    expect(fromUtf8(arrived.body)).toBe('short');
    bob.reply(arrived, 200);
    await short;
    const overTcp = await registered('alice', 'tcp');
    const long = overTcp.ask(overTcp.request('MESSAGE', bob.identity, text('long '.repeat(400))));
    bob.reply(await bob.incoming('MESSAGE'), 200);
    expect((await long).status).toBe(200);
  });
});
