import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fromBase64, toBase64, toHex } from '../../../src/base/bytes.ts';
import { createCertificateAuthority } from '../../../src/crypto/certificate-authority.ts';
import type { GrantedTicket } from '../../../src/protocol/mikey/index.ts';
import { profile } from '../../../src/protocol/profile.ts';
import type { BenchRow } from '../bench-row.ts';
import { canPin, startPinned, type PinnedProcess } from '../support/pinned-process.ts';
import { closedLoop, openLoop, postRequest, RawHttpsConnection } from '../support/raw-https.ts';
import { measureKerberos } from './kerberos.ts';
import { measureMachine } from './machine.ts';
import { benchUsers, kmsUri, requestFor, resolveFor } from './questions.ts';

const kmsProgram = new URL('../../../src/cli/kms.ts', import.meta.url).pathname;
const bareProgram = new URL('bare-server.ts', import.meta.url).pathname;
const serverCore = 1;
const connectionCount = 16;
const questionsPerRun = 4000;
const warmUpQuestions = 1000;
const ticketSizes = [1, 10, 100];
const manyTimes = { perSecond: 1_000_000, burst: 1_000_000 };
const unlimited = { perUser: manyTimes, perAddress: manyTimes, newConnectionsPerAddress: manyTimes };

interface Server {
  readonly process: PinnedProcess;
  readonly url: string;
  readonly ca: string;
}

interface Figures {
  readonly perSecond: number;
  readonly perCoreSecond: number;
  readonly p50: number;
  readonly p99: number;
}

const kinds = ['ticketrequest', 'ticketresolve'] as const;
type Kind = (typeof kinds)[number];

const post = (kind: Kind, message: Uint8Array): Buffer =>
  postRequest(`${profile.kms.path}?requesttype=${kind}`, profile.kms.contentType, toBase64(message));

/** Each question once: a KMS refuses a second copy. */
function makeQuestions(kind: Kind, ticket: GrantedTicket, count: number): Buffer[] {
  const now = Date.now();
  const responders = ticket.responders.length;
  return Array.from({ length: count }, () =>
    post(kind, kind === 'ticketrequest' ? requestFor(responders, now).message : resolveFor(ticket, now)),
  );
}

async function measure(server: Server, kind: Kind, ticket: GrantedTicket): Promise<Figures> {
  const connections = await Promise.all(
    Array.from({ length: connectionCount }, () => RawHttpsConnection.open(server.url, server.ca)),
  );
  await closedLoop(connections, makeQuestions(kind, ticket, warmUpQuestions));
  const questions = makeQuestions(kind, ticket, questionsPerRun);
  const before = server.process.cpuSeconds();
  const full = await closedLoop(connections, questions);
  const used = server.process.cpuSeconds() - before;
  const half = await openLoop(connections, makeQuestions(kind, ticket, questionsPerRun), full.perSecond / 2);
  for (const connection of connections) connection.close();
  return { perSecond: full.perSecond, perCoreSecond: full.answered / used, ...half };
}

/** A ticket of the running KMS, and how long its two answers are as they travel. */
async function firstTicket(
  server: Server,
  responders: number,
): Promise<{ readonly ticket: GrantedTicket; readonly answerOctets: Readonly<Record<Kind, number>> }> {
  const connection = await RawHttpsConnection.open(server.url, server.ca);
  const request = requestFor(responders, Date.now());
  const granted = await connection.ask(post('ticketrequest', request.message));
  const ticket = request.accept(fromBase64(granted.body), Date.now());
  const resolved = await connection.ask(post('ticketresolve', resolveFor(ticket, Date.now())));
  connection.close();
  return { ticket, answerOctets: { ticketrequest: granted.body.length, ticketresolve: resolved.body.length } };
}

async function startKmsProcess(folder: string): Promise<Server> {
  const authority = await createCertificateAuthority({ commonName: 'Bench CA', now: Date.now() });
  const tls = await authority.issue({ dnsNames: [], ipAddresses: ['127.0.0.1'] });
  await writeFile(join(folder, 'server.pem'), tls.certificatePem);
  await writeFile(join(folder, 'server.key'), tls.privateKeyPem, { mode: 0o600 });
  const users = benchUsers(Math.max(...ticketSizes)).map(({ psk, ...user }) => ({ ...user, psk: psk.use(toHex) }));
  await writeFile(
    join(folder, 'kms.json'),
    JSON.stringify({
      identity: kmsUri,
      listen: { host: '127.0.0.1', port: 0 },
      tls: { certificateFile: 'server.pem', privateKeyFile: 'server.key' },
      tpkFile: 'tpk.json',
      users,
      // What is measured is the server, not what it lets through.
      limits: unlimited,
    }),
    { mode: 0o600 },
  );
  const process_ = await startPinned(serverCore, process.execPath, [
    kmsProgram,
    '--config',
    join(folder, 'kms.json'),
    '--quiet',
  ]);
  return { process: process_, url: urlIn(process_.firstLine), ca: authority.certificatePem };
}

async function startBareProcess(folder: string, ca: string, octets: Readonly<Record<Kind, number>>): Promise<Server> {
  const process_ = await startPinned(serverCore, process.execPath, [
    bareProgram,
    join(folder, 'server.pem'),
    join(folder, 'server.key'),
    String(octets.ticketrequest),
    String(octets.ticketresolve),
  ]);
  return { process: process_, url: urlIn(process_.firstLine), ca };
}

function urlIn(line: string): string {
  const url = /https:\/\/\S+/.exec(line)?.[0];
  if (url === undefined) throw new Error(`no address in "${line}"`);
  return url;
}

const names: Readonly<Record<Kind, string>> = { ticketrequest: 'Ticket Request', ticketresolve: 'Ticket Resolve' };

async function benchOverHttps(folder: string): Promise<BenchRow[]> {
  const kms = await startKmsProcess(folder);
  const rows: BenchRow[] = [];
  const ours = new Map<Kind, Figures>();
  const { ticket, answerOctets } = await firstTicket(kms, 1);
  try {
    for (const kind of kinds) ours.set(kind, await measure(kms, kind, ticket));
    for (const size of ticketSizes) {
      const larger = await firstTicket(kms, size);
      const figures = await measure(kms, 'ticketresolve', larger.ticket);
      rows.push({
        name: `KMS, Ticket Resolve over HTTPS, ${size} responders in the ticket`,
        ours: 1000 / figures.perCoreSecond,
        unit: 'ms of the core each',
      });
    }
  } finally {
    await kms.process.stop();
  }
  const bare = await startBareProcess(folder, kms.ca, answerOctets);
  try {
    for (const kind of kinds) {
      const figures = ours.get(kind);
      const reference = await measure(bare, kind, ticket);
      if (figures === undefined) continue;
      rows.unshift(...rowsOf(names[kind], figures, reference));
    }
  } finally {
    await bare.process.stop();
  }
  return rows;
}

function rowsOf(name: string, ours: Figures, reference: Figures): BenchRow[] {
  const note = 'reference: node:https that gives a body of the same size';
  return [
    {
      name: `KMS, ${name} over HTTPS`,
      ours: ours.perSecond,
      reference: reference.perSecond,
      unit: canPin ? 'a second on one core' : 'a second',
      note,
    },
    {
      name: `KMS, ${name}, by the server's processor time`,
      ours: ours.perCoreSecond,
      reference: reference.perCoreSecond,
      unit: 'a core second',
      note,
    },
    { name: `KMS, ${name}, p50 at half that load`, ours: ours.p50, reference: reference.p50, unit: 'ms' },
    { name: `KMS, ${name}, p99 at half that load`, ours: ours.p99, reference: reference.p99, unit: 'ms' },
  ];
}

function benchMachine(): Promise<BenchRow[]> {
  return measureMachine(ticketSizes).then((figures) =>
    figures.map(({ name, perSecond }) => ({ name, ours: perSecond, unit: 'a second', note: 'no HTTP, no storage' })),
  );
}

async function benchKerberos(): Promise<BenchRow[]> {
  const figures = await measureKerberos(serverCore);
  if (typeof figures === 'string') return [{ name: 'Kerberos KDC: not run', ours: 0, unit: '', note: figures }];
  const name = 'peer: MIT Kerberos KDC, AS-REQ + TGS-REQ over UDP';
  return [
    { name, ours: figures.pairsPerSecond, unit: 'pairs a second', note: 'one client that waits' },
    { name, ours: figures.pairsPerCoreSecond, unit: 'pairs a core second' },
  ];
}

/** The KMS as it is run, in a process of its own on a core of its own, beside a bare HTTPS server and a Kerberos KDC. */
export async function benchKms(): Promise<BenchRow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-kms-'));
  const start = performance.now();
  try {
    const rows = [...(await benchOverHttps(folder)), ...(await benchMachine()), ...(await benchKerberos())];
    return [...rows, { name: 'KMS part of the benchmark', ours: (performance.now() - start) / 1000, unit: 's' }];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
