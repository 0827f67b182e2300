import { createSocket, type Socket } from 'node:dgram';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import type { SipConnection } from '../../../src/engine/ports.ts';
import { createNodeSipTransport } from '../../../src/node/sip/transport.ts';
import { closeAfterTest, nextData, open, whenClosed } from './support/sip-servers.ts';
import { lackOfIpv6 } from '../../support/needs/common-needs.ts';
import { needing } from '../../support/needs/needs.ts';

const transport = createNodeSipTransport();

async function bound(type: 'udp4' | 'udp6', address: string): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket(type);
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  closeAfterTest(() => {
    try {
      socket.close();
    } catch {
      // The test has closed it.
    }
  });
  return { socket, port: socket.address().port };
}

async function echo(type: 'udp4' | 'udp6', address: string): Promise<number> {
  const { socket, port } = await bound(type, address);
  socket.on('message', (datagram, from) => socket.send(datagram, from.port, from.address));
  return port;
}

describe('SIP over UDP', () => {
  async function carriesOneMessage(type: 'udp4' | 'udp6', host: string): Promise<void> {
    const port = await echo(type, host);
    const connection = await open(transport, { host, port, protocol: 'udp' });
    const texts: string[] = [];
    const both = new Promise<void>((resolve) => {
      connection.onData((bytes) => {
        texts.push(Buffer.from(bytes).toString());
        if (texts.length === 2) resolve();
      });
    });
    await connection.send(utf8('OPTIONS one'));
    await connection.send(utf8('OPTIONS two'));
    await both;
    expect(texts.sort()).toEqual(['OPTIONS one', 'OPTIONS two']);
    expect(connection).toMatchObject({
      protocol: 'udp',
      framing: 'message',
      localAddress: host,
      remote: { host, port },
      tls: undefined,
    });
    expect(connection.localPort).toBeGreaterThan(0);
  }

  it('carries one message in one datagram, udp4', () => carriesOneMessage('udp4', '127.0.0.1'));

  it('carries one message in one datagram, udp6', needing(lackOfIpv6), () => carriesOneMessage('udp6', '::1'));

  it('holds what came before anybody listened', async () => {
    const { socket, port } = await bound('udp4', '127.0.0.1');
    const connection = await open(transport, { host: '127.0.0.1', port, protocol: 'udp' });
    const answered = new Promise<void>((resolve) => {
      socket.once('message', (_, from) => {
        socket.send('early', from.port, from.address, () => resolve());
      });
    });
    await connection.send(utf8('hello'));
    await answered;
    expect(Buffer.from(await nextData(connection)).toString()).toBe('early');
  });

  it('hears nobody but its server', async () => {
    const { socket: server, port } = await bound('udp4', '127.0.0.1');
    const { socket: stranger } = await bound('udp4', '127.0.0.1');
    const connection = await open(transport, { host: '127.0.0.1', port, protocol: 'udp' });
    const heard = nextData(connection);
    await new Promise((resolve) => stranger.send('INVITE', connection.localPort, '127.0.0.1', resolve));
    await new Promise((resolve) => server.send('OPTIONS', connection.localPort, '127.0.0.1', resolve));
    expect(Buffer.from(await heard).toString()).toBe('OPTIONS');
  });

  it('is over when the operating system says that nobody listens there', async () => {
    const { socket, port } = await bound('udp4', '127.0.0.1');
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    const connection = await open(transport, { host: '127.0.0.1', port, protocol: 'udp' });
    const closed = whenClosed(connection);
    await connection.send(utf8('OPTIONS')).catch(() => undefined);
    expect(await closed).toMatchObject({
      field: 'sip.connection',
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
    await expect(connection.send(utf8('OPTIONS'))).rejects.toMatchObject({ field: 'sip.connection' });
  });

  it('refuses what fits into no datagram and goes on', async () => {
    const connection = await open(transport, {
      host: '127.0.0.1',
      port: await echo('udp4', '127.0.0.1'),
      protocol: 'udp',
    });
    await expect(connection.send(new Uint8Array(65_508))).rejects.toMatchObject({ field: 'sip.datagram' });
    const heard = nextData(connection);
    await connection.send(new Uint8Array(60_000).fill(0x41));
    expect(await heard).toHaveLength(60_000);
  });

  it('tells its own close as no error, once', async () => {
    const port = await echo('udp4', '127.0.0.1');
    const connection: SipConnection = await open(transport, { host: '127.0.0.1', port, protocol: 'udp' });
    const closed = whenClosed(connection);
    connection.close();
    connection.close();
    expect(await closed).toBeUndefined();
  });
});
