import { describe, expect, it } from 'vitest';

import { assertProtocolError, ProtocolError } from '../../src/base/errors.ts';

describe('what a catch takes for the fault of a peer', () => {
  it('is a ProtocolError', () => {
    const error = new ProtocolError('malformed', 'no', { field: 'x' });
    expect(() => assertProtocolError(error)).not.toThrow();
  });

  it.each([new TypeError('a mistake of ours'), 'a text', undefined])(
    'and nothing else: %s goes on as it is',
    (thrown) => {
      let seen: unknown = 'nothing';
      try {
        assertProtocolError(thrown);
      } catch (error) {
        seen = error;
      }
      expect(seen).toBe(thrown);
    },
  );
});
