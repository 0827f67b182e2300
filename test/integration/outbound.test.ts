import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Account } from '../../src/engine/account.ts';
import { type Lab, startLab } from '../../src/lab/lab.ts';
import type { SipProtocol } from '../../src/protocol/sip/sip-protocol.ts';
import { startParty, until, type Party } from './support/parties.ts';

const wait = 30_000;

let lab: Lab;
const parties: Party[] = [];

beforeEach(async () => {
  lab = await startLab({ edges: 2, identities: { alice: ['sip:alice.work@lab.test'] } });
});

afterEach(async () => {
  await Promise.all(parties.splice(0).map((party) => party.stop()));
  await lab.stop();
});

function placeOf(
  edge: number,
  transport: SipProtocol,
): { host: string; port: number; transport: SipProtocol; serverName: string } {
  return { ...lab.edges[edge]![transport], transport, serverName: lab.domain };
}

async function party(
  name: string,
  transport: SipProtocol,
  more: Parameters<typeof startParty>[2] = {},
): Promise<Party> {
  const started = await startParty(lab, name, {
    server: placeOf(0, transport),
    secondServer: placeOf(1, transport),
    policy: 'any',
    ...more,
  });
  parties.push(started);
  return started;
}

const registeredFlows = (account: Account): number =>
  account.status().flows.filter(({ registration }) => registration.state === 'registered').length;

async function onBoth(account: Account): Promise<void> {
  await until(() => registeredFlows(account) === 2, 'both flows registered', wait);
}

async function exchange(from: Party, to: Party, text: string): Promise<void> {
  const outcome = await from.account.sendMessage({ to: to.uri, text, way: 'message' });
  expect(outcome, JSON.stringify(outcome)).toMatchObject({ outcome: 'sent' });
  await until(() => to.received.some((message) => message.text === text), `${text} arrived`, wait);
  expect(to.received.filter((message) => message.text === text)).toHaveLength(1);
}

describe('two flows over two edges', () => {
  it.each(['tls', 'udp', 'wss'] as const)('over %s: with one edge gone, messages go and come', async (transport) => {
    if (transport === 'udp') {
      // So that a keep-alive comes soon.
      await lab.stop();
      lab = await startLab({ edges: 2, flowTimerSeconds: 5 });
    }
    const [alice, bob] = [await party('alice', transport), await party('bob', transport)];
    await Promise.all([onBoth(alice.account), onBoth(bob.account)]);
    await exchange(alice, bob, 'over two');
    await lab.stopEdge(0);
    // Over UDP the next keep-alive finds out, and the system's word that nobody listens there.
    await until(() => registeredFlows(alice.account) === 1 && registeredFlows(bob.account) === 1, 'noticed', wait);
    await exchange(alice, bob, 'there');
    await exchange(bob, alice, 'and back');
    expect(alice.account.status().registration.state).toBe('registered');
    await lab.startEdge(0);
    await Promise.all([onBoth(alice.account), onBoth(bob.account)]);
    await exchange(alice, bob, 'again over two');
  });

  it('with both edges gone the account says so, and is registered again when they are back', async () => {
    const alice = await party('alice', 'tls');
    const bob = await party('bob', 'tls');
    await Promise.all([onBoth(alice.account), onBoth(bob.account)]);
    await Promise.all([lab.stopEdge(0), lab.stopEdge(1)]);
    await until(() => alice.account.status().registration.state === 'failed', 'failure told', wait);
    expect(alice.account.status().registration).toMatchObject({ willRetry: true });
    await Promise.all([lab.startEdge(0), lab.startEdge(1)]);
    await Promise.all([onBoth(alice.account), onBoth(bob.account)]);
    await exchange(alice, bob, 'here again');
  });

  it('with the first edge gone from the beginning the second one serves', async () => {
    await lab.stopEdge(0);
    const alice = await party('alice', 'tls');
    expect(alice.account.status().registration.state).toBe('registered');
    expect(alice.account.status().flows[0]?.registration).toMatchObject({ state: 'failed', code: 'unreachable' });
    await lab.startEdge(0);
    await onBoth(alice.account);
  });

  it('end when the account signs out', async () => {
    const alice = await party('alice', 'tls');
    await onBoth(alice.account);
    await expect(alice.account.unregister()).resolves.toEqual({ state: 'unregistered' });
    expect(registeredFlows(alice.account)).toBe(0);
    expect(lab.load().flows).toBeGreaterThan(0);
    const bob = await party('bob', 'tls');
    // Nobody is there: the network keeps it.
    await expect(bob.account.sendMessage({ to: alice.uri, text: 'later', way: 'message' })).resolves.toMatchObject({
      outcome: 'sent',
    });
    expect(alice.received).toHaveLength(0);
  });
});

describe('one network, all transports', () => {
  it.each(['udp', 'tcp', 'tls', 'ws', 'wss'] as const)('%s tells what it is', async (transport) => {
    const alice = await party('alice', transport);
    const bob = await party('bob', 'tls');
    await exchange(alice, bob, 'a word');
    const sent = await alice.account.sendMessage({ to: bob.uri, text: 'another', way: 'message', policy: 'any' });
    expect(sent).toMatchObject({ outcome: 'sent' });
    expect(alice.account.status().flow?.protocol).toBe(transport);
  });

  it('a long message over UDP goes by TCP and arrives whole', async () => {
    const alice = await party('alice', 'udp', { withoutKms: true });
    const bob = await party('bob', 'tls', { withoutKms: true });
    const text = 'long '.repeat(1_000);
    await exchange(alice, bob, text);
    expect(alice.account.status().registration.state).toBe('registered');
  });

  it('lost and doubled datagrams cost nobody a message', async () => {
    const alice = await party('alice', 'udp', { withoutKms: true });
    const bob = await party('bob', 'udp', { withoutKms: true });
    lab.faults.udpLoss = 0.2;
    lab.faults.udpDuplication = 0.2;
    for (const text of ['one', 'two', 'three', 'four', 'five']) await exchange(alice, bob, text);
    lab.faults.udpLoss = 0;
  });
});

it('the network chooses no other identity than the preferred one, which is among those it knows', async () => {
  const alice = await party('alice', 'tls', { preferredIdentity: 'sip:alice.work@lab.test', withoutKms: true });
  const bob = await party('bob', 'tls', { withoutKms: true });
  expect(alice.account.status().registration).toMatchObject({
    associatedIdentities: expect.arrayContaining(['sip:alice.work@lab.test']) as string[],
  });
  await exchange(alice, bob, 'from work');
  expect(bob.received[0]?.from).toBe('sip:alice.work@lab.test');
});
