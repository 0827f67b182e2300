/** One line of the benchmark table: our figure beside that of a reference run in the same process, right after it. */
export interface BenchRow {
  readonly name: string;
  readonly ours: number;
  /** What the platform does without our code on the same bytes; absent where nothing comparable exists. */
  readonly reference?: number;
  readonly unit: string;
  readonly note?: string;
  /** What was promised, and whether this run kept it. */
  readonly target?: { readonly text: string; readonly isMet: boolean };
}

export function formatRow({ name, ours, reference, unit, note = '', target }: BenchRow): string {
  const ratio = reference === undefined ? '' : `${((100 * ours) / reference).toFixed(0)} %`;
  const verdict = target === undefined ? '' : `${target.text}: ${target.isMet ? 'met' : 'missed'}`;
  const cells = [name, figure(ours), reference === undefined ? '' : figure(reference), unit, ratio, verdict, note];
  return `| ${cells.join(' | ')} |`;
}

/** Two places behind the point where a figure is small. */
function figure(value: number): string {
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}
