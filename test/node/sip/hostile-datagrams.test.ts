import { createSocket, type Socket } from 'node:dgram';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { createSipUserAgent, type IncomingMessage, type SipUserAgent } from '../../../src/engine/sip/index.ts';
import { createEnginePorts } from '../../../src/node/create-engine-ports.ts';
import { parseSipMessage, serialiseSipMessage, SipMessage } from '../../../src/protocol/sip/message.ts';

const wait = 30_000;

let server: Socket;
let userAgent: SipUserAgent;
let incoming: IncomingMessage[];
let answers: SipMessage[];
let client: { readonly port: number; readonly contact: string };
let waiting: Set<() => void>;
let branch = 0;

/** Resolves when the condition holds, which is looked at after every datagram and every message. */
function seen(condition: () => boolean, what: string): Promise<void> {
  if (condition()) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`did not happen: ${what}`)), wait);
    const look = (): void => {
      if (!condition()) return;
      clearTimeout(late);
      waiting.delete(look);
      resolve();
    };
    waiting.add(look);
  });
}

function register(request: SipMessage, port: number): void {
  const contact = request.headers.get('Contact') ?? '';
  const answer = SipMessage.response(200, 'OK');
  for (const name of ['Via', 'From', 'To', 'Call-ID', 'CSeq'])
    answer.headers.add(name, request.headers.get(name) ?? '');
  answer.headers.add('Contact', contact);
  client = { port, contact: /<([^>]*)>/.exec(contact)?.[1] ?? '' };
  server.send(serialiseSipMessage(answer), port, '127.0.0.1');
}

beforeEach(async () => {
  waiting = new Set();
  incoming = [];
  answers = [];
  server = createSocket('udp4');
  server.on('message', (datagram, { port }) => {
    if (datagram[0] === undefined || datagram[0] < 0x20) return;
    const message = parseSipMessage(Uint8Array.from(datagram));
    if (message.method === 'REGISTER') register(message, port);
    else if (message.status !== undefined) answers.push(message);
    for (const look of [...waiting]) look();
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  userAgent = createSipUserAgent({
    ports: await createEnginePorts({ log: silentLogger }),
    account: {
      identity: 'sip:alice@lab.test',
      privateIdentity: 'alice@lab.test',
      authentication: { mode: 'digest', password: new SecretBytes(utf8('secret')) },
      domain: 'lab.test',
      target: { host: '127.0.0.1', port: server.address().port, protocol: 'udp' },
    },
  });
  userAgent.events.on('message', (message) => {
    incoming.push(message);
    for (const look of [...waiting]) look();
  });
  await expect(userAgent.register()).resolves.toMatchObject({ state: 'registered' });
});

afterEach(async () => {
  await userAgent.stop();
  await new Promise<void>((resolve) => server.close(resolve));
});

function send(lines = '', body = ''): string {
  const callId = `call-${++branch}`;
  const basics = [
    `MESSAGE ${client.contact} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:${server.address().port};branch=z9hG4bK${branch}`,
    'From: <sip:bob@lab.test>;tag=b',
    'To: <sip:alice@lab.test>',
    `Call-ID: ${callId}`,
    'CSeq: 1 MESSAGE',
    'Content-Type: text/plain',
  ];
  server.send(utf8(`${basics.join('\r\n')}\r\n${lines}\r\n${body}`), client.port, '127.0.0.1');
  return callId;
}

const statusOf = (callId: string): number | undefined =>
  answers.find(({ headers }) => headers.get('Call-ID') === callId)?.status;

it('a flood is answered 503 beyond what may wait, and afterwards all is as before', async () => {
  for (let count = 1; count <= 64; count++) {
    send();
    await seen(() => incoming.length === count, `message ${count}`);
  }
  for (let count = 0; count < 20; count++) {
    const callId = send();
    await seen(() => statusOf(callId) !== undefined, 'an answer');
    expect(statusOf(callId)).toBe(503);
    expect(answers.at(-1)?.headers.get('Retry-After')).toBe('10');
  }
  expect(incoming).toHaveLength(64);
  for (const message of incoming) message.respond(200);
  send();
  await seen(() => incoming.length === 65, 'a message after the flood');
  incoming.at(-1)?.respond(200);
});

it.each([
  ['too many header fields', 'X: 1\r\n'.repeat(300), '', 413],
  ['headers of 50 000 octets in one line', `X: ${'x'.repeat(50_000)}\r\n`, '', 200],
  ['a body shorter than it says', 'Content-Length: 999\r\n', 'short', 400],
  ['a line that is no header', '=\r\n', '', 400],
])('%s', async (_, lines, body, status) => {
  const callId = send(lines, body);
  if (status === 200) {
    await seen(() => incoming.length === 1, 'the message');
    incoming[0]?.respond(200);
  }
  await seen(() => statusOf(callId) !== undefined, 'an answer');
  expect(statusOf(callId)).toBe(status);
});

it('octets that are no SIP cost nothing', async () => {
  for (const octets of [[0], [0, 0, 0, 0], [13, 10, 13, 10], [1, 2, 3], Array.from({ length: 40_000 }, () => 65)]) {
    server.send(Uint8Array.from(octets), client.port, '127.0.0.1');
  }
  const callId = send('', 'still here');
  await seen(() => incoming.length === 1, 'a message');
  incoming[0]?.respond(200);
  await seen(() => statusOf(callId) !== undefined, 'an answer');
  expect(statusOf(callId)).toBe(200);
});
