import type { ChaosUe } from './chaos-ue.ts';
import { isWrong, type ShownMessage, type Verdict } from './ledger.ts';

const maxListed = 40;

/** How many messages came to which end. */
export function summarise(verdicts: readonly Verdict[]): string[] {
  const counts = new Map<string, number>();
  for (const { what, message, receiver } of verdicts) {
    const key = `${message.way.padEnd(7)} ${message.policy.padEnd(12)} ${what}${what === 'failed, as the sender sees' && receiver.length > 0 ? ' (and shown)' : ''}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, count]) => `${String(count).padStart(6)}  ${key}`);
}

/** Every message that is not as it should be, with what both sides know and the last that was heard of it. */
export function explainWrong(verdicts: readonly Verdict[], ues: readonly ChaosUe[]): string[] {
  const wrong = verdicts.filter(isWrong);
  const lines = wrong.slice(0, maxListed).flatMap((verdict) => explain(verdict, ues));
  return wrong.length > maxListed ? [...lines, `… and ${wrong.length - maxListed} more`] : lines;
}

/** The same for all messages. */
export function everyMessage(verdicts: readonly Verdict[], ues: readonly ChaosUe[]): string[] {
  return verdicts.flatMap((verdict) => explain(verdict, ues));
}

function explain({ message, what, sender, receiver }: Verdict, ues: readonly ChaosUe[]): string[] {
  const known = ({ id, state, level, problem }: ShownMessage): string =>
    `${id} ${state} ${level} ${problem?.code ?? ''}`;
  return [
    `${what}: ${message.from} ${message.number}, ${message.way} ${message.policy}, "${message.text.slice(0, 60)}"`,
    `  sender   ${sender === undefined ? 'has none' : known(sender)}`,
    ...(receiver.length === 0 ? ['  receiver has none'] : []),
    ...receiver.map((shown) => `  receiver ${known(shown)}`),
    ...ues.flatMap(({ events }) => (events.get(message.text) ?? []).map((event) => `    ${event}`)),
  ];
}
