/** One line of the benchmark table: our figure beside that of a reference run in the same process, right after it. */
export interface BenchRow {
  readonly name: string;
  readonly ours: number;
  /** What the platform does without our code on the same bytes; absent where nothing comparable exists. */
  readonly reference?: number;
  readonly unit: string;
  readonly note?: string;
}
