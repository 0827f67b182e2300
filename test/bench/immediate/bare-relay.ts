/**
 * The same octets without what they mean, in one process for one core: a sender and a receiver on node:tls, and between them a server
 * that passes on what comes. Each message of a fixed size is answered by one of a fixed size, on a connection of its own for each
 * conversation. Prints the messages a second. Arguments: octets of a message, conversations, messages.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { createCertificateAuthority } from '../../../src/crypto/certificate-authority.ts';
import { answerOctets, type MessageFigures } from './figures.ts';

const [octets = 0, conversations = 1, count = 1000] = process.argv.slice(2).map(Number);
const authority = await createCertificateAuthority({ commonName: 'Bench CA', now: Date.now() });
const { certificatePem: cert, privateKeyPem: key } = await authority.issue({
  dnsNames: [],
  ipAddresses: ['127.0.0.1'],
});

/** Pairs of connections, in the order in which they are made; the first of a pair waits for the second. */
async function startRelay() {
  let waiting: TLSSocket | undefined;
  const server = createServer({ cert, key }, (socket) => {
    socket.setNoDelay(true);
    if (waiting === undefined) {
      waiting = socket;
      return;
    }
    const other = waiting;
    waiting = undefined;
    socket.on('data', (bytes: Buffer) => other.write(bytes));
    other.on('data', (bytes: Buffer) => socket.write(bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function open(port: number): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.certificatePem });
  socket.setNoDelay(true);
  await once(socket, 'secureConnect');
  return socket;
}

/** Calls back for each run of `length` octets. */
function onEach(socket: TLSSocket, length: number, done: () => void): void {
  let held = 0;
  socket.on('data', (bytes: Buffer) => {
    for (held += bytes.length; held >= length; held -= length) done();
  });
}

async function run(senders: readonly TLSSocket[]): Promise<MessageFigures> {
  const message = Buffer.alloc(octets, 'a');
  const cpu = process.cpuUsage();
  const start = performance.now();
  let [left, answered] = [count, 0];
  await new Promise<void>((resolve) => {
    for (const socket of senders) {
      onEach(socket, answerOctets, () => {
        if (++answered === count) resolve();
        else if (left-- > 0) socket.write(message);
      });
      if (left-- > 0) socket.write(message);
    }
  });
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: count / seconds, cpuMilliseconds: (user + system) / 1000 / count };
}

const { port } = (await startRelay()).address() as AddressInfo;
const senders: TLSSocket[] = [];
const answer = Buffer.alloc(answerOctets, 'b');
for (let index = 0; index < conversations; index++) {
  const receiver = await open(port);
  onEach(receiver, octets, () => receiver.write(answer));
  senders.push(await open(port));
}
process.stdout.write(`${JSON.stringify(await run(senders))}\n`);
process.exit(0);
