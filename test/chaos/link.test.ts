import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { closeServer, listenOnLoopback } from '../../src/lab/loopback.ts';
import { Link } from './link.ts';

let server: Server;
let link: Link;
const accepted: Socket[] = [];
const opened: Socket[] = [];

/** A server that says everything back. */
beforeEach(async () => {
  server = createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  const { host, port } = await listenOnLoopback(server);
  link = await Link.open(() => ({ host, port }));
});

afterEach(async () => {
  for (const socket of [...accepted.splice(0), ...opened.splice(0)]) socket.destroy();
  await Promise.all([link.close(), closeServer(server)]);
});

function open(): Socket {
  const socket = connect({ host: '127.0.0.1', port: link.port });
  socket.on('error', () => undefined);
  opened.push(socket);
  return socket;
}

/** Also with an error. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function echo(socket: Socket, text: string): Promise<string> {
  const answer = once(socket, 'data');
  socket.write(text);
  return String((await answer)[0]);
}

describe('a link of the chaos test', () => {
  test('passes octets on both ways and can be cut', async () => {
    const socket = open();
    expect(await echo(socket, 'hello')).toBe('hello');
    const end = closed(socket);
    link.cut();
    await end;
    expect(await echo(open(), 'again')).toBe('again');
  });

  test('takes nobody while it refuses, and everybody once it is left in peace', async () => {
    link.refuse(600_000);
    await closed(open());
    link.leaveInPeace();
    expect(await echo(open(), 'peace')).toBe('peace');
  });

  test('a slow link keeps the order', async () => {
    const socket = open();
    await echo(socket, 'x');
    link.slow(600_000, 200);
    const received: string[] = [];
    socket.on('data', (bytes: Buffer) => received.push(bytes.toString()));
    for (const text of ['one ', 'two ', 'three']) {
      socket.write(text);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(() => received.join(''), { timeout: 20_000 }).toBe('one two three');
  });

  test('octets that stall come later', async () => {
    const socket = open();
    await echo(socket, 'x');
    link.stall(500);
    expect(await echo(socket, 'late')).toBe('late');
  });

  test('the end of one side reaches the other', async () => {
    const socket = open();
    await echo(socket, 'x');
    accepted[0]?.destroy();
    await closed(socket);
  });
});
