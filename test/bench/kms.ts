import { Agent, createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { fromBase64, toBase64, utf8 } from '../../src/base/bytes.ts';
import { silentLogger } from '../../src/base/log.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { createCertificateAuthority } from '../../src/crypto/certificate-authority.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { startKms } from '../../src/kms/http/start-kms.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import {
  bytesIdentity,
  createTicketRequest,
  createTransfer,
  messageTicketFlags,
  receiveTransfer,
  uriIdentity,
  type GrantedTicket,
} from '../../src/protocol/mikey/index.ts';
import { profile } from '../../src/protocol/profile.ts';
import type { BenchRow } from './bench-row.ts';

const alice = uriIdentity('sip:alice@lab.test');
const bob = uriIdentity('sip:bob@lab.test');
const kmsIdentity = uriIdentity('sip:kms.lab.test');
const psk = new SecretBytes(secureRandom.bytes(32));
const pskId = { alice: bytesIdentity(utf8('alice')), bob: bytesIdentity(utf8('bob')) };
const pairsPerRound = 50;
const warmUpRounds = 4;
const runMilliseconds = 2000;

interface Pair {
  readonly request: Uint8Array;
  readonly resolve: Uint8Array;
}

function requestFor(now: number) {
  return createTicketRequest({
    suite: '256',
    psk,
    pskId: pskId.alice,
    initiator: alice,
    kms: kmsIdentity,
    responders: [bob],
    flags: messageTicketFlags,
    keyKind: 'GTGK',
    validFrom: now - 300_000,
    validUntil: now + 3600_000,
    now,
    random: secureRandom,
  });
}

function resolveFor(ticket: GrantedTicket, now: number): Uint8Array {
  const protType = profile.mikey.protTypePskMime;
  const transfer = createTransfer({
    ticket,
    initiator: alice,
    responder: bob,
    protType,
    csId: 1,
    now,
    random: secureRandom,
  });
  const received = receiveTransfer(transfer.message, {
    now,
    self: [bob],
    protTypes: [protType],
    checkFreshness: 'ticket',
  });
  return received.createResolve({ psk, pskId: pskId.bob, self: bob, kms: kmsIdentity, now, random: secureRandom })
    .message;
}

/** Speaks over one kept connection, one question at a time. */
class Client {
  readonly #agent: Agent;
  readonly #url: string;

  constructor(url: string, ca: string) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
  }

  post(kind: string, message: Uint8Array): Promise<string> {
    const body = toBase64(message);
    return new Promise((resolve, reject) => {
      const asked = httpsRequest(
        `${this.#url}${profile.kms.path}?requesttype=${kind}`,
        {
          method: 'POST',
          agent: this.#agent,
          headers: { 'Content-Type': profile.kms.contentType, 'Content-Length': body.length },
        },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
          response.on('end', () => {
            if (response.statusCode === 200) resolve(text);
            else reject(new Error(`status ${response.statusCode ?? 0}`));
          });
        },
      );
      asked.on('error', reject);
      asked.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Only the exchanges count; making the questions does not. */
async function pairsPerSecond(client: Client, makePairs: () => readonly Pair[]): Promise<number> {
  let pairs = 0;
  let milliseconds = 0;
  for (let round = 0; milliseconds < runMilliseconds; round++) {
    const questions = makePairs();
    const start = performance.now();
    for (const { request, resolve } of questions) {
      await client.post('ticketrequest', request);
      await client.post('ticketresolve', resolve);
    }
    if (round < warmUpRounds) continue;
    milliseconds += performance.now() - start;
    pairs += questions.length;
  }
  return (pairs * 1000) / milliseconds;
}

/** Takes the same questions and gives as many octets back, without looking at them. */
async function startBareServer(
  tls: { readonly certificatePem: string; readonly privateKeyPem: string },
  answerOctets: readonly [request: number, resolve: number],
) {
  const bodies = answerOctets.map((octets) => Buffer.alloc(octets, 'A'));
  const server = createServer({ cert: tls.certificatePem, key: tls.privateKeyPem }, (request, response) => {
    const body = request.url?.endsWith('ticketrequest') === true ? bodies[0] : bodies[1];
    request.on('data', () => undefined);
    request.on('end', () => {
      response.writeHead(200, { 'Content-Type': profile.kms.contentType, 'Content-Length': body?.length ?? 0 });
      response.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** Ticket Request and Ticket Resolve, one after the other over one connection; client and server share one thread. */
export async function benchKms(): Promise<BenchRow[]> {
  const authority = await createCertificateAuthority({ commonName: 'Bench CA', now: Date.now() });
  const tls = await authority.issue({ dnsNames: [], ipAddresses: ['127.0.0.1'] });
  const users = [
    { identities: ['sip:alice@lab.test'], pskId: 'alice', psk },
    { identities: ['sip:bob@lab.test'], pskId: 'bob', psk },
  ];
  const kms = await startKms({
    config: { identity: 'sip:kms.lab.test', users },
    tls,
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    log: silentLogger,
  });
  const client = new Client(kms.url, authority.certificatePem);
  const first = requestFor(Date.now());
  const requestAnswer = await client.post('ticketrequest', first.message);
  const ticket = first.accept(fromBase64(requestAnswer), Date.now());
  const resolveAnswer = await client.post('ticketresolve', resolveFor(ticket, Date.now()));
  const makePairs = (): readonly Pair[] =>
    Array.from({ length: pairsPerRound }, () => ({
      request: requestFor(Date.now()).message,
      resolve: resolveFor(ticket, Date.now()),
    }));
  const ours = await pairsPerSecond(client, makePairs);
  client.close();
  await kms.stop();

  const bare = await startBareServer(tls, [requestAnswer.length, resolveAnswer.length]);
  const bareClient = new Client(bare.url, authority.certificatePem);
  const reference = await pairsPerSecond(bareClient, makePairs);
  bareClient.close();
  await new Promise((resolve) => bare.server.close(resolve));
  return [
    {
      name: 'KMS: Ticket Request + Resolve over HTTPS',
      ours,
      reference,
      unit: 'pairs/s',
      note: 'reference: node:https with answers of the same size, no MIKEY',
    },
  ];
}
