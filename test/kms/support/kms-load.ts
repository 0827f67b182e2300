import { toHex } from '../../../src/base/bytes.ts';
import { sha256 } from '../../../src/crypto/digest.ts';
import type { KmsAddress } from '../../../src/engine/ports.ts';
import type { KeyManagement } from '../../../src/engine/ports.ts';
import { request, type Party } from '../../protocol/mikey/parties.ts';
import { kmsCommand, type KmsProcess } from './kms-process.ts';

export interface Crash {
  readonly keyManagement: KeyManagement;
  readonly asker: Party;
  /** Is killed when it has given `answers`. */
  readonly victim: { readonly process: KmsProcess; readonly address: KmsAddress };
  /** Goes on; must give as many. */
  readonly survivor?: { readonly process: KmsProcess; readonly address: KmsAddress };
  readonly answers: number;
}

const questionsAtOnce = 4;

/** Asks for tickets, several at once, and kills the victim in the middle of it. @returns digests of the answered questions. */
export async function killUnderLoad(crash: Crash): Promise<readonly string[]> {
  const { keyManagement, asker, victim, survivor, answers } = crash;
  const answered = { victim: [] as string[], survivor: [] as string[] };
  let killed: Promise<unknown> | undefined;
  const isOver = (): boolean => killed !== undefined && (survivor === undefined || answered.survivor.length >= answers);
  const worker = async (address: KmsAddress, given: string[], mayFail: boolean): Promise<void> => {
    while (!isOver()) {
      const { message } = request(asker, { now: Date.now() });
      try {
        const { status } = await keyManagement.exchange('ticketrequest', address, message);
        if (status === 200) given.push(toHex(sha256(message)));
        else throw new Error(`status ${status}`);
      } catch (error) {
        // Not answered: nothing is promised of it.
        if (mayFail && killed !== undefined) return;
        throw error;
      }
      if (answered.victim.length >= answers) killed ??= victim.process.end('SIGKILL');
    }
  };
  const workers = Array.from({ length: questionsAtOnce }, () => [
    worker(victim.address, answered.victim, true),
    ...(survivor === undefined ? [] : [worker(survivor.address, answered.survivor, false)]),
  ]);
  await Promise.all(workers.flat());
  await killed;
  return [...answered.victim, ...answered.survivor];
}

/** Those of the answered questions that the audit does not know. */
export async function missingInAudit(config: string, answered: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await kmsCommand(['audit', 'list', '--json', '--config', config]);
  const known = new Set(
    stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse((JSON.parse(line) as { line: string }).line) as { request?: string; outcome: string })
      .filter(({ outcome }) => outcome === 'answered')
      .map((line) => line.request),
  );
  return answered.filter((digest) => !known.has(digest));
}
