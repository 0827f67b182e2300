import { performance } from 'node:perf_hooks';
import { aesGcmSeal } from '../../src/crypto/aes.ts';
import { hmacSha256 } from '../../src/crypto/digest.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { cpimText } from '../../src/engine/text-content.ts';
import { openMessage, readProtectedMessage, sealMessage } from '../../src/engine/psk-mime/index.ts';
import { MemoryKms } from '../support/memory-kms.ts';
import type { BenchRow } from './bench-row.ts';

const alice = 'sip:alice@lab.test';
const bob = 'sip:bob@lab.test';
const text = 'x'.repeat(1024);
const warmUpRounds = 200;
const runMilliseconds = 1500;

/** Runs `round` for a fixed time; `round` gives the milliseconds that count. */
async function perSecond(round: () => number | Promise<number>): Promise<number> {
  for (let count = 0; count < warmUpRounds; count++) await round();
  let rounds = 0;
  let milliseconds = 0;
  for (const end = performance.now() + runMilliseconds; performance.now() < end; rounds++)
    milliseconds += await round();
  return (rounds * 1000) / milliseconds;
}

function timed<T>(action: () => T): { readonly result: T; readonly milliseconds: number } {
  const start = performance.now();
  const result = action();
  return { result, milliseconds: performance.now() - start };
}

/** What the platform needs to encrypt and authenticate the same text, without key management or envelope. */
function referenceRound(): number {
  const octets = new TextEncoder().encode(text);
  const key = secureRandom.bytes(32);
  return timed(() => {
    const { ciphertext } = aesGcmSeal(key, secureRandom.bytes(12), octets);
    hmacSha256(key, ciphertext);
  }).milliseconds;
}

/** Protects and opens messages of 1 KiB under one ticket (profile 5), each resolved; the KMS's own work is not counted. */
export async function benchMessages(): Promise<BenchRow[]> {
  const now = Date.now();
  const kms = new MemoryKms([alice, bob], secureRandom);
  const ticket = await kms.grant({ from: alice, to: bob, now });
  const content = cpimText({ from: alice, to: bob, at: now, messageId: 'bench', text });
  const seal = () =>
    sealMessage({ ticket, self: alice, recipient: bob, content, messageId: 'bench', now, random: secureRandom });

  const sealed = await perSecond(() => timed(seal).milliseconds);
  const opened = await perSecond(async () => {
    const { contentType, body } = seal();
    const asked = timed(() => {
      const received = readProtectedMessage(contentType, body, { now, self: [bob] });
      return { received, resolve: kms.askFor(received.transfer, bob, now) };
    });
    const { received, resolve } = asked.result;
    const answer = await kms.answer(resolve, now);
    const { milliseconds } = timed(() => openMessage(received, resolve.accept(answer, now), alice));
    return asked.milliseconds + milliseconds;
  });
  const reference = await perSecond(referenceRound);
  const common = { reference, unit: 'messages/s', note: 'reference: AES-256-GCM and HMAC of the text alone' };
  return [
    { name: 'MESSAGE of 1 KiB protected', ours: sealed, ...common },
    { name: 'MESSAGE of 1 KiB opened', ours: opened, ...common },
  ];
}
