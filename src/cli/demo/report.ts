import type { ProtectionLevel } from '../../base/protection-level.ts';

/** Where the recorded octets hold a text: how often on the UEs' own connections, and inside the edge. */
export interface WireProof {
  readonly accessLeg: number;
  readonly insideEdge: number;
  /** Octets recorded on the access legs meanwhile, so that "found nowhere" means something. */
  readonly octetsOnAccessLeg: number;
}

export interface DeliveryRow {
  readonly way: 'message' | 'msrp';
  readonly reach: 'e2ae' | 'e2e';
  readonly from: string;
  readonly to: string;
  /** What the sender was told, and what the receiver was shown; absent when nothing came. */
  readonly levelSent: ProtectionLevel | undefined;
  readonly levelReceived: ProtectionLevel | undefined;
  readonly evidence: string;
  readonly proof: WireProof;
  readonly ok: boolean;
  readonly problem?: string;
}

/** A file of random octets, over a session of its own. */
export interface FileRow {
  readonly reach: 'e2ae' | 'e2e';
  readonly from: string;
  readonly to: string;
  readonly octets: number;
  readonly levelSent: ProtectionLevel | undefined;
  readonly levelReceived: ProtectionLevel | undefined;
  /** What arrived has the SHA-256 of what was sent. */
  readonly hashEqual: boolean;
  readonly evidence: string;
  /** Of a mark at the beginning of the file. */
  readonly proof: WireProof;
  readonly ok: boolean;
  readonly problem?: string;
}

/** How a UE came to the key that it shares with the KMS, and what names that key: never the key. */
export interface KeyRow {
  readonly owner: string;
  /** Credential mode. */
  readonly way: string;
  /** Name of the key given by hand, or B-TID; absent when there is no key. */
  readonly name: string | undefined;
}

export interface AttackRow {
  readonly attack: string;
  readonly outcome: string;
  readonly ok: boolean;
}

export interface DemoReport {
  readonly keys: readonly KeyRow[];
  readonly deliveries: readonly DeliveryRow[];
  readonly files: readonly FileRow[];
  /** A message sent without protection on purpose: the search must find it, or its "found nowhere" proves nothing. */
  readonly control: { readonly description: string; readonly proof: WireProof; readonly ok: boolean };
  readonly attacks: readonly AttackRow[];
  readonly ok: boolean;
}

export const wayNames = { message: 'MESSAGE', msrp: 'MSRP' } as const;

const wayWords: Readonly<Record<string, string>> = {
  'static-psk': 'static-psk: given by hand',
  'gba-aka': 'gba-aka: bootstrapped with the SIM',
  'gba-digest': 'gba-digest: bootstrapped with the password',
};

const found = (count: number): string => (count === 0 ? 'not found' : `found ${count}x`);

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(headings), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** The report as text for a terminal. */
export function formatReport(report: DemoReport): string {
  const mark = (ok: boolean): string => (ok ? 'ok' : 'FAILED');
  const deliveries = table(
    ['', 'way', 'from', 'level', 'text on access leg', 'text inside edge', 'evidence'],
    report.deliveries.map((row) => [
      mark(row.ok),
      `${wayNames[row.way]}, ${row.reach}`,
      `${row.from} -> ${row.to}`,
      row.levelReceived ?? 'not delivered',
      found(row.proof.accessLeg),
      found(row.proof.insideEdge),
      row.problem ?? row.evidence,
    ]),
  );
  const files = table(
    ['', 'file', 'from', 'level', 'hash', 'content on access leg', 'content inside edge', 'evidence'],
    report.files.map((row) => [
      mark(row.ok),
      `${row.octets / 1024 ** 2} MiB, ${row.reach}`,
      `${row.from} -> ${row.to}`,
      row.levelReceived ?? 'not delivered',
      row.hashEqual ? 'equal' : 'NOT EQUAL',
      found(row.proof.accessLeg),
      found(row.proof.insideEdge),
      row.problem ?? row.evidence,
    ]),
  );
  const attacks = table(
    ['', 'attack', 'what happened'],
    report.attacks.map((row) => [mark(row.ok), row.attack, row.outcome]),
  );
  const keys = table(
    ['', 'UE', 'how it came', 'name of the key'],
    report.keys.map(({ owner, way, name }) => [
      mark(name !== undefined),
      owner,
      wayWords[way] ?? way,
      name ?? 'NO KEY',
    ]),
  );
  return [
    'Keys shared with the key management server',
    keys,
    '',
    'Deliveries',
    deliveries,
    '',
    'Files',
    files,
    '',
    `Control: ${report.control.description}: text on access leg ${found(report.control.proof.accessLeg)} (${mark(report.control.ok)})`,
    '',
    'Attacks',
    attacks,
    '',
    report.ok ? 'Every row is as it must be.' : 'Some rows are NOT as they must be.',
  ].join('\n');
}
