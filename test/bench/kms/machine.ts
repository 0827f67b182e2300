import { performance } from 'node:perf_hooks';
import { secureRandom } from '../../../src/crypto/random.ts';
import { createDirectory } from '../../../src/kms/directory.ts';
import { createTpk, createTpkRing } from '../../../src/kms/tpk-ring.ts';
import { KmsMachine, uriIdentity } from '../../../src/protocol/mikey/index.ts';
import { profile } from '../../../src/protocol/profile.ts';
import { benchUsers, kmsUri, requestFor, resolveFor } from './questions.ts';

const exchanges = 2000;
const warmUp = 300;

/** The KMS's machine alone, in this process: what an exchange costs without HTTP. */
export async function measureMachine(
  ticketSizes: readonly number[],
): Promise<{ readonly name: string; readonly perSecond: number }[]> {
  const machine = new KmsMachine({
    identity: uriIdentity(kmsUri),
    tpks: createTpkRing([createTpk(secureRandom, Date.now())]),
    directory: createDirectory({ identity: kmsUri, users: benchUsers(Math.max(...ticketSizes)) }),
    rules: profile.ticket,
    random: secureRandom,
  });
  const figures: { name: string; perSecond: number }[] = [];
  for (const size of ticketSizes) {
    const first = requestFor(size, Date.now());
    const answer = await machine.handleTicketRequest(first.message, Date.now());
    if (answer.outcome !== 'answered') throw new Error(`the KMS ${answer.outcome}`);
    const ticket = first.accept(answer.message, Date.now());
    const requests = Array.from({ length: exchanges }, () => requestFor(size, Date.now()).message);
    const resolves = Array.from({ length: exchanges }, () => resolveFor(ticket, Date.now()));
    const run = async (name: string, questions: readonly Uint8Array[], isRequest: boolean): Promise<void> => {
      let start = 0;
      for (const [index, question] of questions.entries()) {
        if (index === warmUp) start = performance.now();
        const now = Date.now();
        const { outcome } = await (isRequest
          ? machine.handleTicketRequest(question, now)
          : machine.handleTicketResolve(question, now));
        if (outcome !== 'answered') throw new Error(`the KMS ${outcome}`);
      }
      const perSecond = ((questions.length - warmUp) * 1000) / (performance.now() - start);
      figures.push({ name: `KMS machine, ${name}, ${size} responders`, perSecond });
    };
    await run('Ticket Request', requests, true);
    await run('Ticket Resolve', resolves, false);
  }
  return figures;
}
