import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex, utf8 } from '../../base/bytes.ts';
import { sha256 } from '../../crypto/digest.ts';
import { secureRandom } from '../../crypto/random.ts';
import { isOver, type FileView } from '../../engine/files/file-view.ts';
import type { Lab } from '../../lab/lab.ts';
import { wireProof } from './deliveries.ts';
import { describeEvidence } from './evidence-words.ts';
import { closeSessions, newMarker, type Party } from './parties.ts';
import type { FileRow } from './report.ts';

const octets = 1024 * 1024;
const timeoutMilliseconds = 60_000;
const demanded = { e2ae: 'require-e2ae', e2e: 'require-e2e' } as const;

/** Sends a file of 1 MiB that begins with a mark, compares what arrives, and looks for the mark on the wire. */
export async function deliverFile(lab: Lab, sender: Party, receiver: Party, reach: FileRow['reach']): Promise<FileRow> {
  const folder = await mkdtemp(join(tmpdir(), 'tessera-demo-'));
  const marker = newMarker();
  const path = join(folder, `${reach}.bin`);
  const content = secureRandom.bytes(octets);
  // At the beginning, where no boundary of a chunk can cut it.
  content.set(utf8(marker));
  await writeFile(path, content);
  await closeSessions(sender, receiver);
  lab.recorder.clear();
  try {
    const { sent, received } = await transfer(sender, receiver, path, demanded[reach]);
    const arrived = received?.path === undefined ? undefined : await readFile(received.path);
    const isSame = arrived !== undefined && toHex(sha256(arrived)) === toHex(sha256(content));
    const proof = wireProof(lab, marker);
    const row = {
      reach,
      from: sender.name,
      to: receiver.name,
      octets,
      levelSent: sent?.level,
      levelReceived: received?.level,
      hashEqual: isSame,
      evidence: received?.evidence === undefined ? '' : describeEvidence(received.evidence),
      proof,
    };
    const problem = problemOf(row, sent, received);
    return { ...row, ok: problem === undefined, ...(problem === undefined ? {} : { problem }) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function transfer(
  sender: Party,
  receiver: Party,
  path: string,
  policy: 'require-e2e' | 'require-e2ae',
): Promise<{ sent: FileView | undefined; received: FileView | undefined }> {
  const arrival = ended(receiver, ({ direction }) => direction === 'in');
  const stopAccepting = receiver.account.events.on('file', ({ id, state, direction }) => {
    if (direction === 'in' && state === 'offered') receiver.account.files.accept(id);
  });
  const outcome = await sender.account.sendFile({ to: receiver.account.config.identity, path, policy });
  if (outcome.outcome === 'refused') {
    stopAccepting();
    return { sent: undefined, received: undefined };
  }
  const departure = ended(sender, ({ id }) => id === outcome.file.id);
  const [sent, received] = await Promise.all([departure, arrival]);
  stopAccepting();
  return { sent, received };
}

/** The first file that fits and comes to an end; undefined when none does in time. */
function ended({ account }: Party, fits: (view: FileView) => boolean): Promise<FileView | undefined> {
  return new Promise((resolve) => {
    const settle = (view?: FileView): void => {
      clearTimeout(timer);
      stop();
      resolve(view);
    };
    const timer = setTimeout(settle, timeoutMilliseconds);
    const stop = account.events.on('file', (view) => {
      if (fits(view) && isOver(view)) settle(view);
    });
  });
}

function problemOf(
  { reach, hashEqual, proof }: Omit<FileRow, 'ok'>,
  sent: FileView | undefined,
  received: FileView | undefined,
): string | undefined {
  for (const view of [sent, received]) {
    if (view?.state !== 'done') return view?.problem?.code ?? 'not delivered';
    if (view.level !== reach) return `shown as ${view.level ?? 'nothing'}`;
  }
  if (!hashEqual) return 'another content than was sent';
  if (proof.octetsOnAccessLeg < octets) return 'not all of it was recorded';
  if (proof.accessLeg > 0) return 'the content stood on the access leg';
  if (proof.insideEdge > 0 !== (reach === 'e2ae')) return 'the edge saw what it should not, or not what it should';
  return undefined;
}
