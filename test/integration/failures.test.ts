import { describe, expect, test } from 'vitest';
import { startLab } from '../../src/lab/lab.ts';
import { startParty, until } from './support/parties.ts';

describe('something dies mid-way', () => {
  test('the peer: an open session ends here too, and the next message is a typed refusal', async () => {
    const lab = await startLab();
    const [alice, bob] = await Promise.all([startParty(lab, 'alice'), startParty(lab, 'bob')]);
    await alice.account.sendMessage({ to: bob.uri, text: 'one', way: 'msrp', policy: 'require-e2e' });
    await bob.stop();
    await until(() => alice.account.status().sessions.length === 0, 'the session ends');
    for (const policy of ['require-e2e', 'require-e2ae'] as const) {
      const outcome = await alice.account.sendMessage({ to: bob.uri, text: 'two', way: 'msrp', policy });
      expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'peer-unreachable' } });
    }
    await alice.stop();
    await lab.stop();
  });

  test('the lab: every way is a typed refusal, and stopping still works', async () => {
    const lab = await startLab();
    const [alice, bob] = await Promise.all([startParty(lab, 'alice'), startParty(lab, 'bob')]);
    await alice.account.sendMessage({ to: bob.uri, text: 'one', way: 'msrp', policy: 'require-e2e' });
    await lab.stop();
    await until(() => alice.account.status().registration.state !== 'registered', 'the loss is noticed');
    for (const way of ['message', 'msrp'] as const) {
      for (const policy of ['require-e2e', 'require-e2ae', 'any'] as const) {
        const outcome = await alice.account.sendMessage({ to: bob.uri, text: 'two', way, policy });
        expect(outcome.outcome).toBe('refused');
      }
    }
    await Promise.all([alice.stop(), bob.stop()]);
  });

  test('the lab, while a message is under way: a typed refusal at once', async () => {
    const lab = await startLab({ faults: { dropMessages: true } });
    const [alice, bob] = await Promise.all([startParty(lab, 'alice'), startParty(lab, 'bob')]);
    const sending = alice.account.sendMessage({ to: bob.uri, text: 'one', way: 'message', policy: 'require-e2e' });
    await until(() => lab.captured.some(({ start }) => 'method' in start && start.method === 'MESSAGE'), 'it is sent');
    const before = Date.now();
    await lab.stop();
    expect(await sending).toMatchObject({ outcome: 'refused', refusal: { code: 'connection-lost' } });
    expect(Date.now() - before).toBeLessThan(5_000);
    await Promise.all([alice.stop(), bob.stop()]);
  });

  test('the KMS is not there: e2e is refused, the edge still works', async () => {
    const lab = await startLab();
    const config = lab.ueConfig('alice');
    const elsewhere = { ...config.kms!, url: 'https://127.0.0.1:9' };
    const [alice, bob] = await Promise.all([startParty(lab, 'alice', { kms: elsewhere }), startParty(lab, 'bob')]);
    const send = (way: 'message' | 'msrp', more: object = {}) =>
      alice.account.sendMessage({ to: bob.uri, text: 'one', way, ...more });
    for (const way of ['message', 'msrp'] as const) {
      const required = await send(way, { policy: 'require-e2e' });
      expect(required).toMatchObject({ outcome: 'refused', refusal: { code: 'kms-unreachable' } });
      const asked = await send(way);
      expect(asked).toMatchObject({ outcome: 'refused', refusal: { code: 'consent-required', offered: 'e2ae' } });
    }
    expect(await send('message', { consent: true })).toMatchObject({ outcome: 'sent', message: { level: 'e2ae' } });
    expect(await send('msrp')).toMatchObject({ outcome: 'sent', message: { level: 'e2ae' } });
    await Promise.all([alice.stop(), bob.stop()]);
    await lab.stop();
  });
});
