import { expect, test } from 'vitest';
import { limits } from '../../../src/engine/limits.ts';
import { OwedReceipts, type OwedReceiptsOptions } from '../../../src/engine/receipts/owed-receipts.ts';
import type { OwedReceipt } from '../../../src/engine/receipts/owed-receipt.ts';
import { createMemoryStore } from '../../../src/engine/store/index.ts';
import { FakeClock } from '../../../src/base/clock.ts';

const receipt = (peer: string, messageId: string): OwedReceipt => ({
  peer,
  messageId,
  kind: 'delivery',
  status: 'delivered',
  sealed: false,
  level: 'none',
  sentAt: 0,
  route: [],
  since: 0,
});

test('receipts to one who sends without end leave room for those to others', () => {
  const { notes } = createMemoryStore({ reason: 'test' }).account('a');
  const ports = { clock: new FakeClock(0) };
  const userAgent = { registration: { state: 'unregistered' } };
  const owed = new OwedReceipts({ ports, userAgent, notes } as unknown as OwedReceiptsOptions);
  for (let count = 0; count < limits.owedReceipts + 10; count++) {
    owed.owe(receipt('sip:mallory@lab.test', `m${count}`));
    owed.release();
  }
  owed.owe(receipt('sip:bob@lab.test', 'b1'));
  owed.release();
  const kept = notes.list('receipt-owed').map(({ key }) => key);
  expect(kept.filter((key) => key.startsWith('sip:bob@'))).toHaveLength(1);
  expect(kept.length).toBeLessThanOrEqual(limits.owedReceipts);
  owed.stop();
});
