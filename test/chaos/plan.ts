import { FuzzRandom } from '../fuzz/fuzz-random.ts';

export const partyNames = ['alice', 'bob'] as const;
export type PartyName = (typeof partyNames)[number];

/** A way to ask for a message: how it travels, and what it demands. */
export const protections = [
  { way: 'message', policy: 'require-e2e' },
  { way: 'message', policy: 'require-e2ae' },
  { way: 'message', policy: 'any' },
  { way: 'msrp', policy: 'require-e2e' },
  { way: 'msrp', policy: 'require-e2ae' },
] as const;

export interface PlannedMessage {
  readonly way: 'message' | 'msrp';
  readonly policy: 'require-e2e' | 'require-e2ae' | 'any';
  readonly from: PartyName;
  /** From 0 for each sender, in the order in which they are written. */
  readonly number: number;
  /** Milliseconds after the start. */
  readonly at: number;
  /** Different for every message. */
  readonly text: string;
}

export const processNames = ['lab', 'kms', 'alice', 'bob'] as const;
export type ProcessName = (typeof processNames)[number];
export const linkNames = [
  'alice-edge',
  'alice-second-edge',
  'bob-edge',
  'bob-second-edge',
  'alice-kms',
  'bob-kms',
] as const;
export type LinkName = (typeof linkNames)[number];

/** Times in milliseconds. */
export type Fault = { readonly at: number } & (
  | { readonly kind: 'kill'; readonly target: ProcessName; readonly downFor: number }
  /** Connections are reset. */
  | { readonly kind: 'cut'; readonly link: LinkName }
  /** Connections stay, nothing passes. */
  | { readonly kind: 'stall'; readonly link: LinkName; readonly lasts: number }
  | { readonly kind: 'slow'; readonly link: LinkName; readonly lasts: number; readonly delay: number }
  /** Connections are reset and no new one is taken. */
  | { readonly kind: 'refuse'; readonly link: LinkName; readonly lasts: number }
);

export interface Plan {
  readonly messages: readonly PlannedMessage[];
  readonly faults: readonly Fault[];
  /** When the last fault is over and the last message written: milliseconds after the start. */
  readonly peaceAt: number;
}

export interface PlanOptions {
  readonly seed: string;
  /** How long the network is disturbed and messages are written. */
  readonly minutes: number;
  /** Of each party. */
  readonly messages: number;
}

/** Begins every text that must be seen by nobody between the two devices. */
export const sealedMark = 'heron-for-two';
/** Begins the others. */
export const openMark = 'robin-for-many';

/** Mean gap between two faults. */
const faultGapMilliseconds = 4000;
/** The network works undisturbed at first, so that everybody is there. */
const firstFaultMilliseconds = 4000;

/** Everything that will be done, and when: the same for the same seed. */
export function createPlan({ seed, minutes, messages }: PlanOptions): Plan {
  const duration = minutes * 60_000;
  const faults = planFaults(new FuzzRandom(seed, 'faults'), duration);
  const planned = partyNames.flatMap((from) =>
    planMessages(new FuzzRandom(seed, 'messages', from), from, messages, duration),
  );
  const ends = faults.map((fault) => fault.at + lastsOf(fault));
  return {
    messages: planned.toSorted((a, b) => a.at - b.at),
    faults,
    peaceAt: Math.max(duration, ...ends),
  };
}

function planMessages(random: FuzzRandom, from: PartyName, count: number, duration: number): PlannedMessage[] {
  return Array.from({ length: count }, (_, number) => {
    // Sealed MESSAGEs most, as users send them; sessions a third.
    const protection = random.pick([
      ...[0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4].flatMap((index) => protections[index] ?? []),
    ]);
    const mark = protection.policy === 'require-e2e' ? sealedMark : openMark;
    const id = Buffer.from(random.bytes(6)).toString('hex');
    // Now and then one of several hundred octets.
    const more = random.once(10) ? ` ${'blue heron '.repeat(10 + random.below(40))}`.trimEnd() : '';
    return {
      ...protection,
      from,
      number,
      at: Math.floor(((number + 0.5) * duration) / count),
      text: `${mark} ${from}-${number}-${id}${more}`,
    };
  });
}

function planFaults(random: FuzzRandom, duration: number): Fault[] {
  const faults: Fault[] = [];
  const wait = (): number => faultGapMilliseconds / 2 + random.below(faultGapMilliseconds);
  for (let at = firstFaultMilliseconds; at < duration; at += wait()) faults.push({ at, ...anyFault(random) });
  return faults;
}

type FaultDetails<F extends Fault = Fault> = F extends unknown ? Omit<F, 'at'> : never;

function anyFault(random: FuzzRandom): FaultDetails {
  const upTo = (least: number, most: number): number => least + random.below(most - least);
  if (random.below(100) < 45) {
    return { kind: 'kill', target: random.pick(processNames), downFor: upTo(100, 6000) };
  }
  const link = random.pick(linkNames);
  const kind = random.pick(['cut', 'stall', 'slow', 'refuse'] as const);
  if (kind === 'cut') return { kind, link };
  if (kind === 'slow') return { kind, link, lasts: upTo(2000, 10_000), delay: upTo(50, 1500) };
  return { kind, link, lasts: upTo(1000, kind === 'stall' ? 12_000 : 8000) };
}

function lastsOf(fault: Fault): number {
  if (fault.kind === 'kill') return fault.downFor;
  return fault.kind === 'cut' ? 0 : fault.lasts;
}

export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return `${fault.target} is killed, back after ${fault.downFor} ms`;
    case 'cut':
      return `${fault.link} is cut`;
    case 'stall':
      return `${fault.link} stalls for ${fault.lasts} ms`;
    case 'slow':
      return `${fault.link} takes ${fault.delay} ms for ${fault.lasts} ms`;
    case 'refuse':
      return `${fault.link} takes nobody for ${fault.lasts} ms`;
  }
}
