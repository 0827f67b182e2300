import { beforeAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../../src/base/clock.ts';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { silentLogger } from '../../src/base/log.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import type { AccountConfig, SipServerConfig } from '../../src/engine/account-config.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { EnginePorts, ServerPins } from '../../src/engine/ports.ts';
import { serverNameOf } from '../../src/engine/server-trust.ts';
import { issue, makeKeys, type Issued } from '../support/pki.ts';
import { ScriptedSipServer } from '../support/scripted-sip-server.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { World } from './support/world.ts';

const sha256 = Array.from({ length: 32 }, () => 'AB').join(':');
let alice: Issued;

beforeAll(async () => {
  alice = await issue({ name: 'alice', keys: await makeKeys('ec') });
}, 60_000);

function engineWith(serverPins?: ServerPins): { engine: Engine; server: ScriptedSipServer } {
  const server = new ScriptedSipServer();
  const world = new World();
  const ports: EnginePorts = {
    clock: new FakeClock(),
    random: seededRandom(),
    log: silentLogger,
    sip: server,
    msrp: world.msrp.sockets('192.0.2.1', true),
    keyManagement: world.kms,
    bootstrapping: { open: () => ({ ask: () => Promise.reject(new Error('no BSF')), close: () => undefined }) },
    ...(serverPins === undefined ? {} : { serverPins }),
  };
  return { engine: new Engine(ports), server };
}

const accountAt = (server: SipServerConfig): AccountConfig => ({
  id: 'alice',
  identity: 'sip:alice@lab.test',
  privateIdentity: 'alice@lab.test',
  domain: 'lab.test',
  server,
  policy: 'prefer-e2e',
});
const password = new SecretBytes(utf8('secret'));

describe('the server of an account', () => {
  it('is given the client certificate with its key, and an account without that key is refused', async () => {
    const { engine, server } = engineWith();
    const account = accountAt({ host: 'lab.test', clientCertificates: [alice.der] });
    expect(() => engine.addAccount(account, { password })).toThrow(
      'the private key of the client certificate is missing',
    );
    server.isDown = true;
    const clientPrivateKey = new SecretBytes(alice.keys.pkcs8);
    await engine.addAccount(account, { password, clientPrivateKey }).register();
    expect(server.targets[0]?.clientCertificate?.certificates.map(toHex)).toEqual([toHex(alice.der)]);
    expect(server.targets[0]?.clientCertificate?.privateKey).toBe(clientPrivateKey);
    await engine.stop();
  });

  it('may show another certificate on the word of the user, where certificates are remembered', async () => {
    const kept = new Map<string, string>();
    const pins: ServerPins = {
      get: (name) => Promise.resolve(kept.get(name)),
      set: (name, pin) => Promise.resolve(void kept.set(name, pin)),
    };
    const { engine } = engineWith(pins);
    const server = { host: 'lab.test', serverName: 'Edge.lab.test.', trust: 'pin-on-first-use' } as const;
    engine.addAccount(accountAt(server), { password });
    await engine.acceptServerCertificate('alice', sha256);
    expect([...kept]).toEqual([['edge.lab.test', sha256]]);
    await expect(engine.acceptServerCertificate('alice', 'authority')).rejects.toMatchObject({ field: 'sip.tls.pin' });
    await expect(engine.acceptServerCertificate('nobody', sha256)).rejects.toThrow(/no such account/);
    const strict = engineWith(pins).engine;
    strict.addAccount(accountAt({ host: 'lab.test' }), { password });
    await expect(strict.acceptServerCertificate('alice', sha256)).rejects.toMatchObject({ field: 'sip.tls.pin' });
    const forgetful = engineWith().engine;
    forgetful.addAccount(accountAt(server), { password });
    await expect(forgetful.acceptServerCertificate('alice', sha256)).rejects.toMatchObject({ field: 'sip.tls.pin' });
    await Promise.all([engine.stop(), strict.stop(), forgetful.stop()]);
  });

  it.each([
    [{ host: 'Lab.test' }, 'Lab.test'],
    [{ host: 'lab.test.' }, 'lab.test'],
    [{ host: '[2001:db8::1]' }, '2001:db8::1'],
    [{ host: '192.0.2.1', serverName: 'edge.lab.test' }, 'edge.lab.test'],
  ])('%j has to prove %s', (target, name) => expect(serverNameOf(target)).toBe(name));
});
