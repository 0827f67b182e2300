import type { TransferNote } from '../../../../src/engine/files/file-storage.ts';

/** The same octets for the same size, in an order that does not repeat within a segment. */
export function contentOf(size: number): Uint8Array {
  const content = new Uint8Array(size);
  let state = 0x9e3779b9;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    content[at] = state >>> 24;
  }
  return content;
}

export const note: TransferNote = {
  account: 'sip:alice@lab.test',
  id: 't1',
  peer: 'sip:bob@lab.test',
  name: 'photo.png',
  type: 'image/png',
  size: 1_000_000,
  hashes: [{ algorithm: 'sha-256', value: 'AA' }],
  at: 1,
  level: 'none',
  evidence: { kind: 'msrp-plain', vouchedBy: 'nobody', notProtected: [] },
  isPaused: false,
};
