import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../integration/support/parties.ts';
import { createSippDevice, patience, type OurDevice } from './support/our-device.ts';
import { Sipp, lackOfSipp, type SippOptions } from './support/sipp.ts';
import * as sipp from './support/sipp-scenario.ts';
import { needing } from '../support/needs/needs.ts';

const lack = lackOfSipp();

const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
}, 60_000);

const transports = ['udp', 'tcp'] as const;
const nonce = (name: string): string => `nonce-${name}`;
const challenge = (name: string, more: Partial<sipp.ChallengeOptions> = {}): string =>
  sipp.challenge('WWW-Authenticate', { realm: 'sipp.test', nonce: nonce(name), ...more });
/** Credentials under this nonce, of the right password. */
const proves = (name: string, variable: string): readonly string[] => [
  ...sipp.demand('Authorization', `nonce=.${nonce(name)}.`, `${variable}_nonce`),
  ...sipp.demandPassword('alice', 'alicesword', variable),
];
const signsOut = [sipp.receive('REGISTER', { actions: sipp.demand('Expires', '^ *0', 'gone') }), sipp.grant()];

async function start(options: SippOptions): Promise<{ server: Sipp; alice: OurDevice }> {
  const server = await Sipp.start(options);
  toStop.push(() => server.stop());
  const alice = await createSippDevice(server.port, options.transport);
  toStop.push(() => alice.stop());
  return { server, alice };
}

/** Signs out, which ends the only call: SIPp's verdict on it. */
async function expectSuccess(server: Sipp, alice: OurDevice, calls = 1): Promise<void> {
  await alice.account.unregister();
  const outcome = await server.ended();
  expect({ ...outcome, errors: server.errors }).toEqual({ code: 0, successful: calls, failed: 0, errors: [] });
}

describe('our registration and SIPp', { timeout: 120_000, ...needing(lack) }, () => {
  describe.each(transports)('over %s', (transport) => {
    it.each(['SHA-256', 'MD5'] as const)('answers 401 with %s', async (algorithm) => {
      const scenario = sipp.scenario([
        sipp.receive('REGISTER'),
        sipp.respond(401, 'Unauthorized', { headers: [challenge('one', { algorithm })] }),
        sipp.receive('REGISTER', { actions: proves('one', 'valid') }),
        sipp.grant(),
        ...signsOut,
      ]);
      const { server, alice } = await start({ scenario, transport, calls: 1 });
      expect(await alice.account.register()).toMatchObject({ state: 'registered', expires: 3600 });
      await expectSuccess(server, alice);
      expect(server.log).toContain('credentials of alice: true');
    });

    it('asks once more with the fresh nonce when the one it used is stale', async () => {
      const scenario = sipp.scenario([
        sipp.receive('REGISTER'),
        sipp.respond(401, 'Unauthorized', { headers: [challenge('old')] }),
        sipp.receive('REGISTER', { actions: proves('old', 'first') }),
        sipp.respond(401, 'Unauthorized', { headers: [challenge('new', { stale: true })] }),
        sipp.receive('REGISTER', { actions: proves('new', 'second') }),
        sipp.grant(),
        ...signsOut,
      ]);
      const { server, alice } = await start({ scenario, transport, calls: 1 });
      expect(await alice.account.register()).toMatchObject({ state: 'registered' });
      await expectSuccess(server, alice);
    });

    it('gives up after one answer to a nonce that is not stale', async () => {
      const scenario = sipp.scenario([
        sipp.receive('REGISTER'),
        sipp.respond(401, 'Unauthorized', { headers: [challenge('one')] }),
        sipp.receive('REGISTER', { actions: proves('one', 'first') }),
        sipp.respond(401, 'Unauthorized', { headers: [challenge('two')] }),
      ]);
      const { server, alice } = await start({ scenario, transport, calls: 1 });
      expect(await alice.account.register()).toMatchObject({
        state: 'failed',
        code: 'authentication-failed',
        status: 401,
        willRetry: false,
      });
      await expectSuccess(server, alice);
    });

    it('asks for the life that 423 wants', async () => {
      const scenario = sipp.scenario([
        sipp.receive('REGISTER', { actions: sipp.demand('Expires', '^ *3600', 'short') }),
        sipp.respond(423, 'Interval Too Brief', { headers: ['Min-Expires: 7200'] }),
        sipp.receive('REGISTER', { actions: sipp.demand('Expires', '^ *7200', 'long') }),
        sipp.respond(200, 'OK', { headers: ['[last_Contact:]'] }),
        ...signsOut,
      ]);
      const { server, alice } = await start({ scenario, transport, calls: 1 });
      expect(await alice.account.register()).toMatchObject({ state: 'registered', expires: 7200 });
      await expectSuccess(server, alice);
    });

    it('does not register with a server that answers 494 with a list to an account without TLS', async () => {
      const scenario = sipp.scenario([
        sipp.receive('REGISTER'),
        sipp.respond(494, 'Security Agreement Required', { headers: ['Security-Server: tls;q=0.2'] }),
        sipp.receive('REGISTER'),
        sipp.respond(494, 'Security Agreement Required', { headers: ['Security-Server: digest;q=0.1'] }),
      ]);
      const { server, alice } = await start({ scenario, transport, calls: 1 });
      expect(await alice.account.register()).toMatchObject({
        state: 'failed',
        code: 'security-agreement-failed',
        willRetry: false,
      });
      await expectSuccess(server, alice);
      expect(server.messages).not.toMatch(/Security-(Client|Verify)/);
    });
  });

  it('waits as long as 503 says, and registers then, over tcp', async () => {
    // Each REGISTER is a call of its own here: SIPp answers a call where it came from first, and the second comes over another connection.
    const scenario = sipp.scenario(
      [
        sipp.receive('REGISTER', {
          actions: [sipp.log('asked at [clock_tick]'), ...sipp.countFirst('requests', 'is_first')],
          next: 'away',
          test: 'is_first',
        }),
        sipp.grant([], { next: 'end' }),
        sipp.label('away'),
        sipp.respond(503, 'Service Unavailable', { headers: ['Retry-After: 2'] }),
        sipp.label('end'),
      ],
      ['requests'],
    );
    const { server, alice } = await start({ scenario, transport: 'tcp', calls: 3, forgetsCalls: true });
    expect(await alice.account.register()).toMatchObject({ state: 'failed', status: 503, willRetry: true });
    await until(() => alice.registrations.at(-1)?.state === 'registered', 'it registers by itself', patience);
    await expectSuccess(server, alice, 3);
    // Slowness only makes it longer.
    const [before = 0, after = 0] = server.log.map((line) => Number(/asked at (\d+)/.exec(line)?.[1]));
    expect(after - before).toBeGreaterThanOrEqual(1_900);
  });
});
