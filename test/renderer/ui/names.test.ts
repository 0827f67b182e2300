import { expect, it } from 'vitest';
import { completeAddress, plainAddress, shortName } from '../../../renderer/ui/names.ts';

it('shortens addresses for people', () => {
  expect(shortName('sip:bob@lab.test')).toBe('bob');
  expect(shortName('sip:b%C3%B6b@lab.test;user=phone')).toBe('böb');
  expect(shortName('tel:+4912345')).toBe('tel:+4912345');
  expect(plainAddress('SIPS:bob@lab.test?subject=x')).toBe('bob@lab.test');
});

it.each([
  ['bob', 'sip:bob@lab.test'],
  [' bob ', 'sip:bob@lab.test'],
  ['bob@example.org', 'sip:bob@example.org'],
  ['sip:bob@example.org', 'sip:bob@example.org'],
  ['sip:bob', 'sip:bob@lab.test'],
  ['tel:+49-123', 'tel:+49-123'],
  ['', undefined],
  ['bob smith', undefined],
  ['a@b@c', undefined],
  ['<sip:bob@x>', undefined],
])('completes %j to %j', (typed, address) => {
  expect(completeAddress(typed, 'lab.test')).toBe(address);
});
