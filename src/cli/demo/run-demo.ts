import { showAttacks, type Stage } from './attacks.ts';
import { deliver, wireProof } from './deliveries.ts';
import { deliverFile } from './files.ts';
import type { KeyNames } from './key-names.ts';
import { exchange, newMarker, startParty } from './parties.ts';
import type { DeliveryRow, DemoReport, FileRow } from './report.ts';

const cases = [
  { way: 'message', reach: 'e2ae' },
  { way: 'message', reach: 'e2e' },
  { way: 'msrp', reach: 'e2ae' },
  { way: 'msrp', reach: 'e2e' },
] as const;

export interface DemoStage extends Stage {
  readonly keyNames: KeyNames;
}

/** All deliveries, of messages and of files, the control and all attacks. `onProgress` hears in words what comes next. */
export async function runDemo(stage: DemoStage, onProgress: (step: string) => void): Promise<DemoReport> {
  const { lab, alice, bob, keyNames } = stage;
  const deliveries: DeliveryRow[] = [];
  for (const { way, reach } of cases) {
    for (const [sender, receiver] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      onProgress(`${way}, ${reach}: ${sender.name} to ${receiver.name}`);
      deliveries.push(await deliver(lab, sender, receiver, way, reach));
    }
  }
  const files: FileRow[] = [];
  for (const reach of ['e2ae', 'e2e'] as const) {
    for (const [sender, receiver] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      onProgress(`file, ${reach}: ${sender.name} to ${receiver.name}`);
      files.push(await deliverFile(lab, sender, receiver, reach));
    }
  }
  onProgress('control: a message without protection');
  const control = await unprotectedControl(stage);
  onProgress('attacks');
  const attacks = await showAttacks(stage);
  const keys = [alice, bob].map((party) => keyNames.of(party));
  const isWhole = deliveries.length === 8 && files.length === 4 && attacks.length === 6;
  const isComplete = isWhole && keys.every(({ name }) => name !== undefined);
  const ok = isComplete && control.ok && [...deliveries, ...files, ...attacks].every((row) => row.ok);
  return { keys, deliveries, files, control, attacks, ok };
}

/** Carol's UE has nothing but TCP: the search must find her text on her access leg. */
async function unprotectedControl({ lab, ports, kms, bob }: DemoStage): Promise<DemoReport['control']> {
  const carol = await startParty(lab, ports, 'carol', { transport: 'tcp', policy: 'any', kms });
  try {
    lab.recorder.clear();
    const text = newMarker();
    const { outcome, received } = await exchange(carol, bob, { text, way: 'message', policy: 'any' });
    const level = 'message' in outcome ? outcome.message.level : 'refused';
    const proof = wireProof(lab, text);
    return {
      description: `a MESSAGE over TCP, shown to its sender as ${level}`,
      proof,
      ok: level === 'none' && received !== undefined && proof.accessLeg > 0,
    };
  } finally {
    await carol.stop();
  }
}
