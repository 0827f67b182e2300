import { afterEach, describe, expect, test } from 'vitest';
import { type Lab, type LabOptions, startLab } from '../../src/lab/lab.ts';
import { ScriptedUe } from './support/scripted-ue.ts';

let lab: Lab | undefined;
let ue: ScriptedUe | undefined;

async function connect(digest: NonNullable<LabOptions['digest']>): Promise<ScriptedUe> {
  lab = await startLab({ users: ['alice'], bsf: false, digest });
  ue = await ScriptedUe.connect(lab, 'alice');
  return ue;
}

afterEach(async () => {
  ue?.close();
  await lab?.stop();
});

describe('the registrar of the lab', () => {
  test.each(['MD5', 'MD5-sess', 'SHA-256', 'SHA-512-256'] as const)(
    'takes %s alone, with auth and auth-int',
    async (algorithm) => {
      const alice = await connect({ algorithms: [algorithm], qop: ['auth', 'auth-int'] });
      expect((await alice.register({ algorithm })).status).toBe(200);
      expect((await alice.register({ algorithm, qop: 'auth-int' })).status).toBe(200);
      expect((await alice.register({ algorithm, qop: 'auth-int', password: 'wrong' })).status).toBe(403);
      expect(alice.received[0]?.headers.getAll('WWW-Authenticate')).toHaveLength(1);
    },
  );

  test('offers several in the order that was asked for, and takes none besides', async () => {
    const alice = await connect({ algorithms: ['SHA-512-256', 'SHA-256'] });
    expect((await alice.register({ algorithm: 'SHA-512-256' })).status).toBe(200);
    const offered = alice.received[0]?.headers
      .getAll('WWW-Authenticate')
      .map((value) => /algorithm=([^,]+)/.exec(value)?.[1]);
    expect(offered).toEqual(['SHA-512-256', 'SHA-256']);
    expect((await alice.register({ algorithm: 'MD5' })).status).not.toBe(200);
    expect((await alice.register({ algorithm: 'SHA-256', qop: 'auth-int' })).status).toBe(403);
  });
});
