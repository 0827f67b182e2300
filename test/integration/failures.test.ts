import { describe, expect, test } from 'vitest';
import { startLab } from '../../src/lab/lab.ts';
import { startParty, until } from './support/parties.ts';

describe('something dies mid-way', () => {
  test('the peer: an open session ends here too, and the next messages wait', async () => {
    const lab = await startLab();
    const [alice, bob] = await Promise.all([startParty(lab, 'alice'), startParty(lab, 'bob')]);
    await alice.account.sendMessage({ to: bob.uri, text: 'one', way: 'msrp', policy: 'require-e2e' });
    await bob.stop();
    await until(() => alice.account.status().sessions.length === 0, 'the session ends');
    for (const policy of ['require-e2e', 'require-e2ae'] as const) {
      const outcome = await alice.account.sendMessage({ to: bob.uri, text: 'two', way: 'msrp', policy });
      expect(outcome).toMatchObject({
        outcome: 'waiting',
        message: { state: 'queued', problem: { code: 'peer-unreachable' } },
      });
    }
    await alice.stop();
    await lab.stop();
  });

  test('the lab: every way waits, and stopping still works', async () => {
    const lab = await startLab();
    const [alice, bob] = await Promise.all([startParty(lab, 'alice'), startParty(lab, 'bob')]);
    await alice.account.sendMessage({ to: bob.uri, text: 'one', way: 'msrp', policy: 'require-e2e' });
    await lab.stop();
    await until(() => alice.account.status().registration.state !== 'registered', 'the loss is noticed');
    for (const way of ['message', 'msrp'] as const) {
      for (const policy of ['require-e2e', 'require-e2ae', 'any'] as const) {
        const outcome = await alice.account.sendMessage({ to: bob.uri, text: 'two', way, policy });
        expect(outcome).toMatchObject({ outcome: 'waiting', message: { state: 'queued' } });
      }
    }
    await Promise.all([alice.stop(), bob.stop()]);
  });

  test('the lab, while a message is under way: it waits, which is said at once', async () => {
    const lab = await startLab({ faults: { dropMessages: true } });
    const [alice, bob] = await Promise.all([startParty(lab, 'alice'), startParty(lab, 'bob')]);
    const sending = alice.account.sendMessage({ to: bob.uri, text: 'one', way: 'message', policy: 'require-e2e' });
    await until(() => lab.captured.some(({ start }) => 'method' in start && start.method === 'MESSAGE'), 'it is sent');
    const before = Date.now();
    await lab.stop();
    expect(await sending).toMatchObject({
      outcome: 'waiting',
      message: { state: 'sent', problem: { code: 'connection-lost' } },
    });
    expect(Date.now() - before).toBeLessThan(5_000);
    await Promise.all([alice.stop(), bob.stop()]);
  });

  test('the KMS is not there: messages wait for it, and the edge still works', async () => {
    const lab = await startLab();
    const config = lab.ueConfig('alice');
    const elsewhere = { ...config.kms!, url: 'https://127.0.0.1:9' };
    const [alice, bob] = await Promise.all([startParty(lab, 'alice', { kms: elsewhere }), startParty(lab, 'bob')]);
    const send = (way: 'message' | 'msrp', more: object = {}) =>
      alice.account.sendMessage({ to: bob.uri, text: 'one', way, ...more });
    for (const way of ['message', 'msrp'] as const) {
      const required = await send(way, { policy: 'require-e2e' });
      expect(required).toMatchObject({ outcome: 'waiting', message: { problem: { code: 'kms-unreachable' } } });
      for (const { message } of alice.account.outbox.list()) alice.account.cancelMessage(message.id);
      const asked = await send(way);
      if (way === 'message') {
        expect(asked).toMatchObject({ outcome: 'waiting', message: { problem: { offered: 'e2ae' } } });
      } else {
        expect(asked).toMatchObject({ outcome: 'refused', refusal: { code: 'consent-required', offered: 'e2ae' } });
      }
      for (const { message } of alice.account.outbox.list()) alice.account.cancelMessage(message.id);
    }
    expect(await send('message', { consent: true })).toMatchObject({ outcome: 'sent', message: { level: 'e2ae' } });
    expect(await send('msrp')).toMatchObject({ outcome: 'sent', message: { level: 'e2ae' } });
    await Promise.all([alice.stop(), bob.stop()]);
    await lab.stop();
  });

  test('the KMS, for a while: what waits is sent end to end, once, when it is back', async () => {
    const lab = await startLab({ faults: { kmsAway: true } });
    const [alice, bob] = await Promise.all([startParty(lab, 'alice'), startParty(lab, 'bob')]);
    for (const text of ['one', 'two', 'three']) {
      const sent = await alice.account.sendMessage({ to: bob.uri, text, way: 'message', policy: 'require-e2e' });
      expect(sent.outcome).toBe('waiting');
    }
    expect(alice.account.status().kms.state).toBe('unreachable');
    lab.faults.kmsAway = false;
    await alice.account.retryKms();
    await until(() => bob.received.length === 3, 'all three arrive', 30_000);
    // Bob resolves side by side what came one after the other: who is read first is not said.
    const read = bob.received.map(({ text, level }) => [text, level]);
    expect(read.sort()).toEqual([
      ['one', 'e2e'],
      ['three', 'e2e'],
      ['two', 'e2e'],
    ]);
    expect(alice.account.status().kms.state).toBe('ready');
    await Promise.all([alice.stop(), bob.stop()]);
    await lab.stop();
  }, 60_000);
});
