import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Lab, startLab } from '../../src/lab/lab.ts';
import { serialiseSipMessage } from '../../src/protocol/sip/message.ts';
import { MediaEnd } from './support/media-end.ts';
import { ScriptedUe } from './support/scripted-ue.ts';

let lab: Lab;

beforeEach(async () => {
  lab = await startLab({ times: { silentBranch: 100 } });
});

afterEach(() => lab.stop());

const change = fc.record({ at: fc.nat(), octets: fc.uint8Array({ minLength: 1, maxLength: 3 }) });
const changes = fc.array(change, { minLength: 1, maxLength: 4 });

function mutate(bytes: Uint8Array, edits: readonly { at: number; octets: Uint8Array }[]): Uint8Array {
  for (const { at, octets } of edits) {
    const start = at % bytes.length;
    bytes.set(octets.subarray(0, bytes.length - start), start);
  }
  return bytes;
}

test('changed octets in requests and answers never end the lab', { timeout: 60_000 }, async () => {
  const media = await MediaEnd.create('a');
  const body = media.sdp({ fingerprints: [media.fingerprint], e2ae: 'requested' });
  const method = fc.constantFrom('INVITE', 'MESSAGE', 'REGISTER', 'CANCEL', 'ACK', 'answer');
  const securityClient = ['msrp-tls;mediasec'];
  await fc.assert(
    fc.asyncProperty(method, changes, async (name, edits) => {
      const alice = await ScriptedUe.connect(lab, 'alice', 'tcp');
      const bob = await ScriptedUe.connect(lab, 'bob', 'tcp');
      await Promise.all([alice.register({ securityClient }), bob.register({ securityClient })]);
      const request = alice.request(name === 'answer' ? 'INVITE' : name, bob.identity, body);
      if (name === 'answer') {
        alice.send(request);
        const answer = bob.answer(await bob.incoming('INVITE'), 200, body);
        bob.socket.write(mutate(serialiseSipMessage(answer), edits));
      } else {
        alice.socket.write(mutate(serialiseSipMessage(request), edits));
      }
      await pause(3);
      alice.close();
      bob.close();
    }),
    { numRuns: 200 },
  );
  media.close();
  const carol = await ScriptedUe.connect(lab, 'carol');
  expect((await carol.register()).status).toBe(200);
  carol.close();
  await expect.poll(() => lab.load(), { timeout: 5000 }).toEqual({ flows: 0, dialogs: 0, mediaStreams: 0 });
});
