import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../integration/support/parties.ts';
import { createDevice, patience, type OurDevice } from './support/our-device.ts';
import { Sipp, lackOfSipp } from './support/sipp.ts';
import * as sipp from './support/sipp-scenario.ts';
import { startTlsFront } from './support/tls-front.ts';
import { needing } from '../support/needs/needs.ts';

const lack = lackOfSipp();

const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
}, 60_000);

const challenge = sipp.challenge('WWW-Authenticate', { realm: 'sipp.test', nonce: 'nonce-one' });
const list = (entries: string): string => `Security-Server: ${entries}`;
const offers = sipp.demand('Security-Client', '^ *tls', 'client_list');
const verifies = (entries: string, variable: string): readonly string[] =>
  sipp.demand('Security-Verify', `^ *${entries}`, variable);
const demandsAgreement = (entries: string): string =>
  sipp.respond(494, 'Security Agreement Required', { headers: [list(entries)] });

/** SIPp behind a TLS port, and an account that is to register there. */
async function start(scenario: string, calls: number): Promise<{ server: Sipp; alice: OurDevice }> {
  const server = await Sipp.start({ scenario, transport: 'tcp', calls });
  toStop.push(() => server.stop());
  const front = await startTlsFront('sipp.test', server.port);
  toStop.push(() => front.stop());
  const alice = await createDevice({
    identity: 'sip:alice@sipp.test',
    privateIdentity: 'alice',
    domain: 'sipp.test',
    password: 'alicesword',
    server: { host: '127.0.0.1', port: front.port, transport: 'tls', serverName: 'sipp.test' },
    ca: front.caPem,
    policy: 'any',
    registrationEvents: false,
  });
  toStop.push(() => alice.stop());
  return { server, alice };
}

async function expectSuccess(server: Sipp, alice: OurDevice, calls: number): Promise<void> {
  await alice.account.unregister();
  const outcome = await server.ended();
  expect({ ...outcome, errors: server.errors }).toEqual({ code: 0, successful: calls, failed: 0, errors: [] });
}

describe('our security agreement (RFC 3329) and SIPp behind TLS', { timeout: 120_000, ...needing(lack) }, () => {
  it('mirrors the list of the server in every later request, and agrees anew after a 494 to a MESSAGE', async () => {
    const scenario = sipp.scenario(
      [
        sipp.receive('MESSAGE', { optional: true, next: 'message', actions: verifies('tls;q=0.2', 'in_message') }),
        sipp.receive('REGISTER', { actions: offers }),
        sipp.respond(401, 'Unauthorized', { headers: [challenge, list('tls;q=0.2')] }),
        sipp.receive('REGISTER', {
          actions: [...verifies('tls;q=0.2', 'in_register'), ...sipp.demandPassword('alice', 'alicesword', 'valid')],
        }),
        sipp.grant(),
        sipp.receive('REGISTER', { actions: [...offers, ...verifies('tls;q=0.2', 'in_renewal')] }),
        sipp.grant(),
        sipp.receive('REGISTER'),
        sipp.grant([], { next: 'end' }),
        sipp.label('message'),
        sipp.act(sipp.countFirst('tries', 'is_first'), { next: 'disagree', test: 'is_first' }),
        sipp.respond(200, 'OK', { next: 'end' }),
        sipp.label('disagree'),
        demandsAgreement('tls;q=0.2'),
        sipp.label('end'),
        sipp.act([]),
      ],
      ['tries'],
    );
    const { server, alice } = await start(scenario, 3);
    expect(await alice.account.register()).toMatchObject({ state: 'registered' });
    expect(alice.account.status().flow?.securityAgreement).toMatchObject({ tls: true, server: ['tls;q=0.2'] });
    const outcome = await alice.account.sendMessage({ to: 'sip:bob@sipp.test', text: 'agreed', way: 'message' });
    expect(outcome.outcome).toBe('waiting');
    await until(() => alice.account.outbox.list().length === 0, 'it is sent by itself', patience);
    expect(alice.account.conversations()[0]?.messages).toMatchObject([{ text: 'agreed', state: 'accepted' }]);
    await expectSuccess(server, alice, 3);
    expect(server.log).toContain('credentials of alice: true');
  });

  it('verifies the list that a 494 to its REGISTER states', async () => {
    const scenario = sipp.scenario([
      sipp.receive('REGISTER', { actions: offers }),
      demandsAgreement('tls;q=0.7'),
      sipp.receive('REGISTER', { actions: [...offers, ...verifies('tls;q=0.7', 'verified')] }),
      sipp.grant(),
      sipp.receive('REGISTER'),
      sipp.grant(),
    ]);
    const { server, alice } = await start(scenario, 1);
    expect(await alice.account.register()).toMatchObject({ state: 'registered' });
    await expectSuccess(server, alice, 1);
  });

  it.each([
    ['another order of strength', 'tls;q=0.1'],
    ['a mechanism more', 'tls;q=0.2, digest;q=0.9;d-alg=md5'],
    ['one without TLS', 'digest;q=0.9;d-alg=md5'],
  ])('gives up where the list changes to %s, and proves no password to it', async (_name, changed) => {
    const scenario = sipp.scenario([
      sipp.receive('REGISTER', { actions: offers }),
      demandsAgreement('tls;q=0.2'),
      sipp.receive('REGISTER', { actions: verifies('tls;q=0.2', 'verified') }),
      sipp.respond(494, 'Security Agreement Required', { headers: [list(changed), challenge] }),
    ]);
    const { server, alice } = await start(scenario, 1);
    expect(await alice.account.register()).toMatchObject({
      state: 'failed',
      code: 'security-agreement-failed',
      willRetry: false,
    });
    await expectSuccess(server, alice, 1);
    expect(server.messages).not.toMatch(/response="[0-9a-f]+"/);
  });
});
