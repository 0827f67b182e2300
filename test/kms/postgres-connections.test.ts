import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';

import { PostgresConnections } from '../../src/kms/storage/postgres/connections.ts';

/** AuthenticationOk and ReadyForQuery: a server that lets everybody in (PostgreSQL 55.2.1). */
const welcome = Buffer.from('520000000800000000' + '5a0000000549', 'hex');
/** CommandComplete of BEGIN and ReadyForQuery inside a transaction. */
const begun = Buffer.from('430000000a424547494e00' + '5a0000000554', 'hex');

let server: Server;

/** @param answers what each message after the first is answered with; nothing left: the connection breaks. */
async function serverThatBreaks(answers: readonly Buffer[]): Promise<string> {
  server = createServer((socket) => {
    const left = [welcome, ...answers];
    socket.on('error', () => undefined);
    socket.on('data', () => {
      const next = left.shift();
      if (next === undefined) socket.destroy();
      else socket.write(next);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `postgres://nobody@127.0.0.1:${(server.address() as AddressInfo).port}/none`;
}

afterEach(() => {
  server.close();
});

describe('a connection to PostgreSQL that breaks', () => {
  it.each([
    ['at the beginning of a transaction', []],
    ['inside a transaction', [begun]],
  ])('%s fails that transaction and nothing else', async (_, answers) => {
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    process.on('uncaughtException', note);
    const url = await serverThatBreaks(answers);
    const connections = new PostgresConnections(url, { connections: 1, waitsForDisk: true });
    try {
      const failed = connections.transaction((ask) => ask({ text: 'SELECT 1' }));
      await expect(failed).rejects.toMatchObject({ name: 'KmsStorageError' });
      // The pool goes on: the next one gets a connection of its own, which breaks as well.
      const again = connections.transaction((ask) => ask({ text: 'SELECT 1' }));
      await expect(again).rejects.toMatchObject({ name: 'KmsStorageError' });
      expect(uncaught).toEqual([]);
    } finally {
      process.off('uncaughtException', note);
      await connections.close();
    }
  });

  it('between the questions of a transaction fails the next of them', async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    process.on('uncaughtException', note);
    const url = await serverThatBreaks([begun]);
    const accepted = once(server, 'connection');
    const connections = new PostgresConnections(url, { connections: 1, waitsForDisk: true });
    try {
      const failed = connections.transaction(async (ask) => {
        const [socket] = (await accepted) as [Socket];
        const closed = once(socket, 'close');
        socket.destroy();
        await closed;
        return ask({ text: 'SELECT 1' });
      });
      await expect(failed).rejects.toMatchObject({ name: 'KmsStorageError' });
      expect(uncaught).toEqual([]);
    } finally {
      process.off('uncaughtException', note);
      await connections.close();
    }
  });
});
