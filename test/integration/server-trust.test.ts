import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { accountFromUeConfig, checkUeConfig, type UeConfig } from '../../src/cli/ue-config.ts';
import type { Account } from '../../src/engine/account.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { EnginePorts, ServerPins } from '../../src/engine/ports.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { createEnginePorts } from '../../src/node/create-engine-ports.ts';
import { createNodeDns } from '../../src/node/sip/node-dns.ts';
import { createServerPinFile } from '../../src/node/sip/server-pins.ts';
import { createNodeSipTransport } from '../../src/node/sip/transport.ts';
import { startDnsServer, type DnsZone } from '../node/sip/support/dns-server.ts';
import { listen } from '../node/sip/support/sip-servers.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { UeProcess } from './support/ue-process.ts';

let lab: Lab;
let ports: EnginePorts;
const engines: Engine[] = [];

beforeAll(async () => {
  [lab, ports] = await Promise.all([startLab(), createEnginePorts({ log: silentLogger })]);
}, 60_000);

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.stop()));
});

afterAll(() => lab.stop());

function start(config: UeConfig, changes: Partial<EnginePorts>): { engine: Engine; account: Account } {
  const engine = new Engine({ ...ports, ...changes });
  engines.push(engine);
  const { config: account, secrets } = accountFromUeConfig(checkUeConfig(config));
  return { engine, account: engine.addAccount(account, secrets) };
}

describe('an account without a server', () => {
  /** The domain’s first place is down; the next one is the lab. */
  async function zone(): Promise<DnsZone> {
    const server = createServer();
    const down = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    return {
      'lab.test': [
        { type: 'NAPTR', order: 1, preference: 1, texts: ['s', 'SIP+D2U', ''], replacement: '_sip._udp.lab.test' },
        { type: 'NAPTR', order: 2, preference: 1, texts: ['s', 'SIPS+D2T', ''], replacement: '_sips._tcp.lab.test' },
      ],
      '_sip._udp.lab.test': [{ type: 'SRV', numbers: [0, 0, lab.sip.udp.port], target: 'edge.lab.test' }],
      '_sips._tcp.lab.test': [
        { type: 'SRV', numbers: [0, 0, down], target: 'edge.lab.test' },
        { type: 'SRV', numbers: [1, 0, lab.sip.tls.port], target: 'edge.lab.test' },
      ],
      'edge.lab.test': [{ type: 'A', octets: [127, 0, 0, 1] }],
    };
  }

  async function found(server: UeConfig['server']): Promise<Account> {
    const dns = createNodeDns({ servers: [await startDnsServer(await zone())], timeoutMilliseconds: 60_000 });
    const sip = createNodeSipTransport({ dns, connectTimeoutMilliseconds: 30_000 });
    return start({ ...lab.ueConfig('alice'), server }, { sip }).account;
  }

  it('is registered over TLS at the second place of its domain, though UDP stands first in the records', async () => {
    const account = await found(undefined);
    expect(await account.register()).toMatchObject({ state: 'registered' });
    expect(account.status().flow).toMatchObject({ protocol: 'tls', tls: { serverProof: 'authority' } });
  });

  it('takes the records’ own order when anything goes', async () => {
    const account = await found({ security: 'any' });
    expect(await account.register()).toMatchObject({ state: 'registered' });
    expect(account.status().flow).toMatchObject({ protocol: 'udp' });
  });
});

describe('a server that nobody certifies', () => {
  const pinsAt = (file: string): ServerPins => createServerPinFile(file);

  function pinned(at: Lab, serverPins: ServerPins, transport: 'tls' | 'wss' = 'tls') {
    const { ca, ...config } = at.ueConfig('alice', { transport, withoutKms: true });
    expect(ca).toBeDefined();
    const sip = createNodeSipTransport({ pins: serverPins, connectTimeoutMilliseconds: 30_000 });
    const { host, port, serverName } = config.server;
    const server = { host, port, serverName, transport, trust: 'pin-on-first-use' } as const;
    return start({ ...config, server, policy: 'any' }, { sip, serverPins });
  }

  it('is remembered, known again, and refused with another certificate until the user accepts that', async () => {
    const file = join(temporaryFolder('server-trust'), 'servers.json');
    const first = pinned(lab, pinsAt(file)).account;
    expect(await first.register()).toMatchObject({ state: 'registered' });
    expect(first.status().flow).toMatchObject({ tls: { serverProof: 'first-use' } });
    // The edge announces its list; of a server that is not proven it is not believed.
    expect(first.status().flow?.securityAgreement).toBeUndefined();
    await first.unregister();

    const again = pinned(lab, pinsAt(file)).account;
    expect(await again.register()).toMatchObject({ state: 'registered' });
    expect(again.status().flow).toMatchObject({ tls: { serverProof: 'pin' } });
    const old = again.status().flow?.tls?.peerCertificate?.sha256 ?? '';
    await again.unregister();

    const other = await startLab();
    try {
      const { engine, account } = pinned(other, pinsAt(file));
      const refused = await account.register();
      expect(refused).toMatchObject({ state: 'failed', code: 'tls-failed' });
      const shown = /another certificate than before: SHA-256 ([0-9A-F:]{95})/.exec(JSON.stringify(refused))?.[1] ?? '';
      expect(JSON.stringify(refused)).toContain(`the remembered one, SHA-256 ${old}`);
      await engine.acceptServerCertificate(account.config.id, shown);
      expect(await account.register()).toMatchObject({ state: 'registered' });
      expect(account.status().flow?.tls).toMatchObject({ serverProof: 'pin', peerCertificate: { sha256: shown } });
      await account.unregister();
    } finally {
      await other.stop();
    }
  });

  it('over wss its messages are not shown as protected to the edge', async () => {
    const file = join(temporaryFolder('server-trust'), 'servers.json');
    const { account } = pinned(lab, pinsAt(file), 'wss');
    expect(await account.register()).toMatchObject({ state: 'registered' });
    const sent = await account.sendMessage({ to: 'sip:bob@lab.test', text: 'hello', way: 'message', policy: 'any' });
    expect(sent).toMatchObject({ outcome: 'sent', message: { level: 'unverified', evidence: { transport: 'wss' } } });
    const demanded = await account.sendMessage({
      to: 'sip:bob@lab.test',
      text: 'hello',
      way: 'message',
      policy: 'require-e2ae',
    });
    expect(demanded).toMatchObject({ outcome: 'refused', refusal: { code: 'policy-not-met' } });
  });

  it('is accepted by the user of the scriptable UE', async () => {
    const other = await startLab();
    const folder = temporaryFolder('server-trust');
    const configAt = (at: Lab): object => {
      const { ca, ...config } = at.ueConfig('alice', { withoutKms: true });
      expect(ca).toBeDefined();
      return { ...config, server: { ...config.server, trust: 'pin-on-first-use' }, stateDirectory: 'state' };
    };
    const run = async (at: Lab, act: (ue: UeProcess) => Promise<void>): Promise<void> => {
      const ue = await UeProcess.start(configAt(at), folder);
      try {
        await act(ue);
        await ue.call('shutdown');
        await ue.exited;
      } finally {
        ue.child.kill('SIGKILL');
      }
    };
    try {
      await run(lab, async (ue) => {
        expect(await ue.call('register')).toMatchObject({ result: { state: 'registered' } });
        expect(await ue.call('status')).toMatchObject({ result: { flow: { tls: { serverProof: 'first-use' } } } });
      });
      await run(other, async (ue) => {
        const refused = await ue.call('register');
        expect(refused).toMatchObject({ result: { state: 'failed', code: 'tls-failed' } });
        const sha256 = /than before: SHA-256 ([0-9A-F:]{95})/.exec(JSON.stringify(refused))?.[1] ?? '';
        expect(await ue.call('server.accept', { sha256 })).toMatchObject({ result: {} });
        expect(await ue.call('register')).toMatchObject({ result: { state: 'registered' } });
      });
    } finally {
      await other.stop();
    }
  }, 120_000);
});
