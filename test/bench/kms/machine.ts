import { performance } from 'node:perf_hooks';
import { secureRandom } from '../../../src/crypto/random.ts';
import { createMemoryKmsService } from '../../../src/kms/kms-service.ts';
import { systemClock } from '../../../src/node/system-clock.ts';
import { benchUsers, kmsUri, requestFor, resolveFor } from './questions.ts';

const exchanges = 2000;
const warmUp = 300;

/** The KMS's machine over a storage in memory, in this process: what an exchange costs without HTTP and disk. */
export async function measureMachine(
  ticketSizes: readonly number[],
): Promise<{ readonly name: string; readonly perSecond: number }[]> {
  const service = await createMemoryKmsService({
    config: { identity: kmsUri, users: benchUsers(Math.max(...ticketSizes)) },
    clock: systemClock,
    random: secureRandom,
  });
  const from = { address: '127.0.0.1' };
  const figures: { name: string; perSecond: number }[] = [];
  for (const size of ticketSizes) {
    const first = requestFor(size, Date.now());
    const answer = await service.handle('ticketrequest', first.message, from);
    if (answer.outcome !== 'answered') throw new Error(`the KMS ${answer.outcome}`);
    const ticket = first.accept(answer.message, Date.now());
    const requests = Array.from({ length: exchanges }, () => requestFor(size, Date.now()).message);
    const resolves = Array.from({ length: exchanges }, () => resolveFor(ticket, Date.now()));
    const run = async (name: string, questions: readonly Uint8Array[], isRequest: boolean): Promise<void> => {
      let start = 0;
      for (const [index, question] of questions.entries()) {
        if (index === warmUp) start = performance.now();
        const { outcome } = await service.handle(isRequest ? 'ticketrequest' : 'ticketresolve', question, from);
        if (outcome !== 'answered') throw new Error(`the KMS ${outcome}`);
      }
      const perSecond = ((questions.length - warmUp) * 1000) / (performance.now() - start);
      figures.push({ name: `KMS machine, ${name}, ${size} responders`, perSecond });
    };
    await run('Ticket Request', requests, true);
    await run('Ticket Resolve', resolves, false);
  }
  await service.close();
  return figures;
}
