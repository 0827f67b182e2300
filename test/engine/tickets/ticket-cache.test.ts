import { expect, test } from 'vitest';
import { TicketCache, type CachableTicket } from '../../../src/engine/tickets/ticket-cache.ts';

const hour = 3_600_000;
const start = Date.UTC(2026, 0, 1);

function ticket(life: number, reusable = true) {
  return { flags: { J: reusable }, issuedAt: start, validUntil: start + life };
}

test('a ticket is used again for its recipient and kind until a tenth of its life is left', () => {
  const cache = new TicketCache<CachableTicket>();
  const granted = ticket(5 * hour);
  cache.put('sip:bob@lab.test', 'message', granted, start);
  expect(cache.get('sip:bob@lab.test', 'message', start + 4.4 * hour)).toBe(granted);
  expect(cache.get('sip:bob@lab.test', 'session', start)).toBeUndefined();
  expect(cache.get('sip:carol@lab.test', 'message', start)).toBeUndefined();
  expect(cache.get('sip:bob@lab.test', 'message', start + 4.5 * hour)).toBeUndefined();
});

test('the margin is at most an hour', () => {
  const cache = new TicketCache<CachableTicket>();
  cache.put('sip:bob@lab.test', 'message', ticket(7 * 24 * hour), start);
  expect(cache.get('sip:bob@lab.test', 'message', start + (7 * 24 - 1.1) * hour)).toBeDefined();
  expect(cache.get('sip:bob@lab.test', 'message', start + (7 * 24 - 1) * hour)).toBeUndefined();
});

test('a ticket without J or without end is never used again', () => {
  const cache = new TicketCache<{ flags: { J: boolean }; issuedAt: number; validUntil?: number }>();
  cache.put('sip:bob@lab.test', 'message', ticket(hour, false), start);
  expect(cache.get('sip:bob@lab.test', 'message', start)).toBeUndefined();
  cache.put('sip:bob@lab.test', 'message', { flags: { J: true }, issuedAt: start }, start);
  expect(cache.get('sip:bob@lab.test', 'message', start)).toBeUndefined();
});

test('a dropped ticket is gone', () => {
  const cache = new TicketCache<CachableTicket>();
  cache.put('sip:bob@lab.test', 'message', ticket(hour), start);
  cache.drop('sip:bob@lab.test', 'message');
  expect(cache.get('sip:bob@lab.test', 'message', start)).toBeUndefined();
});
