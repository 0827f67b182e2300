import { describe, expect, test } from 'vitest';
import { createPlan, describeFault, linkNames, processNames, sealedMark } from './plan.ts';

const options = { seed: '1', minutes: 4, messages: 2000 };

describe('the plan of the chaos test', () => {
  test('is the same for the same seed and another for another one', () => {
    expect(createPlan(options)).toEqual(createPlan(options));
    expect(createPlan({ ...options, seed: '2' }).faults).not.toEqual(createPlan(options).faults);
  });

  test('disturbs every process and every link in every way', () => {
    const faults = createPlan(options).faults;
    const killed = new Set(faults.flatMap((fault) => (fault.kind === 'kill' ? [fault.target] : [])));
    const touched = new Set(faults.flatMap((fault) => (fault.kind === 'kill' ? [] : [fault.link])));
    expect([...killed].sort()).toEqual([...processNames].sort());
    expect([...touched].sort()).toEqual([...linkNames].sort());
    expect(new Set(faults.map(({ kind }) => kind)).size).toBe(5);
    expect(new Set(faults.map(describeFault)).size).toBeGreaterThan(20);
  });

  test('has every message once, with every protection, and sealed texts are marked', () => {
    const { messages, peaceAt } = createPlan(options);
    expect(messages).toHaveLength(4000);
    expect(new Set(messages.map(({ text }) => text)).size).toBe(4000);
    expect(new Set(messages.map(({ way, policy }) => `${way} ${policy}`)).size).toBe(5);
    for (const { policy, text } of messages) expect(text.startsWith(sealedMark)).toBe(policy === 'require-e2e');
    expect(Math.max(...messages.map(({ at }) => at))).toBeLessThanOrEqual(peaceAt);
  });
});
