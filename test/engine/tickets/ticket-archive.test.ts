import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { limits } from '../../../src/engine/limits.ts';
import type { EnginePorts, TicketStore, TicketStoreKey } from '../../../src/engine/ports.ts';
import { createStaticPskCredential } from '../../../src/engine/tickets/kms-credential.ts';
import { TicketArchive } from '../../../src/engine/tickets/ticket-archive.ts';
import { TicketService } from '../../../src/engine/tickets/ticket-service.ts';
import { identityText, uriIdentity } from '../../../src/protocol/mikey/index.ts';
import {
  alice,
  answered,
  bob,
  hand,
  kmsIdentity,
  makeKms,
  random,
  receive,
  start,
} from '../../protocol/mikey/parties.ts';

const bobUri = identityText(bob.identity);
const kms = {
  address: { url: 'https://kms.lab.test', bodyEncoding: 'base64' },
  identity: identityText(kmsIdentity),
  credential: { mode: 'static-psk', pskId: 'alice-key' },
  suite: '256',
} as const;

class MemoryStore implements TicketStore {
  file: Uint8Array | undefined;
  aside: Uint8Array | undefined;
  writes = 0;
  problem: Error | undefined;

  read(maxOctets: number) {
    if (this.problem !== undefined) return Promise.reject(this.problem);
    if ((this.file?.length ?? 0) > maxOctets) return Promise.reject(new Error('too long'));
    return Promise.resolve(this.file);
  }
  write(sealed: Uint8Array) {
    if (this.problem !== undefined) return Promise.reject(this.problem);
    this.writes++;
    this.file = Uint8Array.from(sealed);
    return Promise.resolve();
  }
  setAside() {
    this.aside = this.file;
    this.file = undefined;
    return Promise.resolve();
  }
  remove() {
    this.file = undefined;
    this.aside = undefined;
    return Promise.resolve();
  }
}

const keyOf = (octet: number): TicketStoreKey => ({
  kind: 'key',
  key: new SecretBytes(new Uint8Array(32).fill(octet)),
});
const binding = (octet: number): Uint8Array => new Uint8Array(32).fill(octet);

let store: MemoryStore;
let clock: FakeClock;
let asked: number;
let log: string[];

beforeEach(() => {
  store = new MemoryStore();
  clock = new FakeClock(start);
  asked = 0;
  log = [];
});

/** One run of the program. */
function run({ key = keyOf(1), belongsTo = binding(7) } = {}) {
  const machine = makeKms();
  const ports = {
    clock,
    random,
    log: {
      log: (level: string, event: string, fields: object = {}) => log.push(JSON.stringify({ level, event, ...fields })),
    },
    keyManagement: {
      exchange: async (_kind: unknown, _kms: unknown, message: Uint8Array) => {
        asked++;
        return { status: 200, message: answered(await machine.handleTicketRequest(message, clock.now())) };
      },
    },
  } as Partial<EnginePorts> as EnginePorts;
  const archive = new TicketArchive({ ports, storage: { kept: 'sealed', store, key }, binding: belongsTo });
  const credential = createStaticPskCredential('alice-key', alice.psk);
  const service = new TicketService({ ports, self: identityText(alice.identity), kms, credential, archive });
  return { service, archive };
}

/** A first run that keeps one ticket of each kind. */
async function keepTwo(options: Parameters<typeof run>[0] = {}) {
  const { service } = run(options);
  await service.ticketFor(bobUri, 'message');
  await service.ticketFor(bobUri, 'session');
  await service.stop();
  expect(asked).toBe(2);
}

describe('tickets at rest', () => {
  it('serve the next run of the program, whole', async () => {
    await keepTwo();
    const { service, archive } = run();
    const ticket = await service.ticketFor(bobUri, 'message');
    await service.ticketFor(bobUri, 'session');
    expect(asked).toBe(2);
    expect(archive.keeping.kept).toBe('sealed');
    expect(ticket).toMatchObject({
      suite: '256',
      initiator: uriIdentity(identityText(alice.identity)),
      flags: { J: true },
    });
    // It makes a transfer whose receiver finds nothing wrong with it.
    const transfer = hand(ticket, alice, bob.identity);
    expect(receive(transfer.message, bob).initiator).toEqual(alice.identity);
  });

  it('are nowhere in clear', async () => {
    const { service } = run();
    const ticket = await service.ticketFor(bobUri, 'message');
    const secrets = [ticket.mpki, ...ticket.keys.map(({ key }) => key)].map((secret) =>
      secret.use((octets) => Buffer.from(octets).toString('latin1')),
    );
    await service.stop();
    const file = Buffer.from(store.file ?? []).toString('latin1');
    expect(file.length).toBeGreaterThan(200);
    for (const clear of [...secrets, bobUri]) expect(file.includes(clear)).toBe(false);
  });

  it('are sealed with a passphrase too, under a salt of their own', async () => {
    const key = (text: string): TicketStoreKey => ({ kind: 'passphrase', passphrase: new SecretBytes(utf8(text)) });
    await keepTwo({ key: key('correct horse battery') });
    const { service } = run({ key: key('correct horse battery') });
    await service.ticketFor(bobUri, 'message');
    expect(asked).toBe(2);
    const other = run({ key: key('wrong horse battery') });
    await other.service.ticketFor(bobUri, 'message');
    expect(asked).toBe(3);
    expect(store.aside).toBeDefined();
  });

  it('are written together, a moment after the first', async () => {
    const { service } = run();
    await service.ticketFor(bobUri, 'message');
    await service.ticketFor(bobUri, 'session');
    expect(store.writes).toBe(0);
    clock.advance(limits.ticketSaveMilliseconds);
    await service.stop();
    expect(store.writes).toBe(1);
    expect(clock.waiting).toBe(0);
  });

  it('go at sign-out, from memory too, and a late write does not bring them back', async () => {
    await keepTwo();
    const { service } = run();
    await service.ticketFor(bobUri, 'message');
    service.drop(bobUri, 'session');
    await service.signOut();
    clock.advance(limits.ticketSaveMilliseconds);
    await service.stop();
    expect(store.file).toBeUndefined();
    expect(asked).toBe(2);
    await run().service.ticketFor(bobUri, 'message');
    expect(asked).toBe(3);
  });

  it('of another account or credential are dropped unused', async () => {
    await keepTwo();
    const { service } = run({ belongsTo: binding(8) });
    await service.ticketFor(bobUri, 'message');
    expect(asked).toBe(3);
    expect(store.aside).toBeUndefined();
    expect(log.join()).toContain('tickets.dropped');
  });

  it('that were damaged at any octet, cut or made with another key are set aside, said, and never trusted', async () => {
    await keepTwo();
    const whole = store.file ?? new Uint8Array();
    const damaged = [
      ...Array.from({ length: whole.length }, (_, at) => whole.with(at, (whole[at] ?? 0) ^ 1)).filter(
        (_, at) => at % 37 < 2,
      ),
      ...[0, 1, 8, 36, 37, 52, whole.length - 1].map((length) => whole.slice(0, length)),
      utf8('{"tickets":[]}'),
    ];
    for (const file of damaged) {
      store.file = file;
      const before = asked;
      log = [];
      const { service } = run();
      await service.ticketFor(bobUri, 'message');
      expect(asked).toBe(before + 1);
      expect(log.join()).toContain('tickets.set-aside');
      expect(store.aside).toEqual(file);
    }
    store.file = whole;
    await run({ key: keyOf(2) }).service.ticketFor(bobUri, 'message');
    expect(store.aside).toEqual(whole);
  });

  it('that have ended are not used, also after the clock was set back', async () => {
    await keepTwo();
    clock.advance(8 * 24 * 3_600_000);
    const { service } = run();
    await service.ticketFor(bobUri, 'message');
    await service.stop();
    expect(asked).toBe(3);
    // A week earlier by this device; the KMS had said otherwise.
    clock = new FakeClock(start);
    expect(await run().service.reusableSpan(bobUri, 'session')).toBeUndefined();
  });

  it('that an older copy of the file brings back are judged as ever', async () => {
    await keepTwo();
    const old = store.file;
    clock.advance(8 * 24 * 3_600_000);
    store.file = old;
    const { service } = run();
    expect(await service.reusableSpan(bobUri, 'message')).toBeUndefined();
  });

  it('stay in memory when they cannot be written, and the account says so', async () => {
    const { service, archive } = run();
    store.problem = new Error('no space left on device');
    await service.ticketFor(bobUri, 'message');
    clock.advance(limits.ticketSaveMilliseconds);
    await archive.flush();
    expect(archive.keeping).toMatchObject({
      kept: 'memory',
      explanation: expect.stringContaining('no space') as string,
    });
    await service.ticketFor(bobUri, 'message');
    expect(asked).toBe(1);
  });
});
