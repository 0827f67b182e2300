import { describe, expect, it } from 'vitest';
import { BulkPace } from '../../../src/protocol/msrp/bulk-pace.ts';

const kibibyte = 1024;

describe('The pace of long messages', () => {
  it('has larger chunks where answers come at once, and small ones again where they do not', () => {
    const pace = new BulkPace();
    expect(pace.chunkOctets).toBe(64 * kibibyte);
    pace.answered(3);
    expect(pace.chunkOctets).toBe(128 * kibibyte);
    pace.answered(3);
    expect(pace.chunkOctets).toBe(128 * kibibyte);
    pace.answered(120);
    expect(pace.chunkOctets).toBe(128 * kibibyte);
    pace.answered(201);
    expect(pace.chunkOctets).toBe(64 * kibibyte);
    pace.answered(120);
    expect(pace.chunkOctets).toBe(64 * kibibyte);
  });

  it('has room until 3 MiB are unanswered', () => {
    const pace = new BulkPace();
    for (let sent = 0; sent < 3072 * kibibyte; sent += 128 * kibibyte) {
      expect(pace.hasRoom).toBe(true);
      pace.sent(128 * kibibyte);
    }
    expect(pace.hasRoom).toBe(false);
    pace.over(128 * kibibyte);
    expect(pace.hasRoom).toBe(true);
  });
});
