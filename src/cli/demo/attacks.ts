import type { EnginePorts } from '../../engine/ports.ts';
import type { Lab } from '../../lab/lab.ts';
import type { LabCredentialMode } from '../../lab/ue-config.ts';
import type { ProtectionLevel } from '../../base/protection-level.ts';
import { type Party, closeSessions, exchange, newMarker, pause, quietTime, watch, watchRefusals } from './parties.ts';
import type { AttackRow } from './report.ts';
import { resolveStolenTicket } from './stolen-ticket.ts';

export interface Stage {
  readonly lab: Lab;
  readonly ports: EnginePorts;
  /** How every UE comes to its KMS key. */
  readonly kms: LabCredentialMode;
  readonly alice: Party;
  readonly bob: Party;
}

/** The attacks one after another; each leaves the lab honest again. */
export async function showAttacks(stage: Stage): Promise<readonly AttackRow[]> {
  const attacks = [
    wrongFingerprint,
    missingIndication,
    stolenTicket,
    replayedMessage,
    changedCiphertext,
    falseKeyManagement,
  ];
  const rows: AttackRow[] = [];
  for (const attack of attacks) {
    await closeSessions(stage.alice, stage.bob);
    try {
      rows.push(await attack(stage));
    } finally {
      for (const fault of Object.keys(stage.lab.faults)) Reflect.deleteProperty(stage.lab.faults, fault);
    }
  }
  return rows;
}

async function wrongFingerprint({ lab, alice, bob }: Stage): Promise<AttackRow> {
  lab.faults.wrongFingerprint = true;
  lab.recorder.clear();
  const text = newMarker();
  const { outcome, received } = await exchange(alice, bob, { text, way: 'msrp', policy: 'require-e2ae' });
  const reason = outcome.outcome === 'refused' ? outcome.refusal.code : outcome.outcome;
  const isClean = received === undefined && lab.recorder.find(text).insideEdge.count === 0;
  return {
    attack: 'wrong fingerprint: the edge presents another certificate than was signalled',
    outcome: `${reason}; ${isClean ? 'no octet of the text left the UE' : 'THE TEXT LEFT THE UE'}`,
    ok: reason === 'fingerprint-mismatch' && isClean,
  };
}

async function missingIndication({ lab, alice, bob }: Stage): Promise<AttackRow> {
  lab.faults.omitIndication = true;
  const lax = await exchange(alice, bob, { text: newMarker(), way: 'msrp', policy: 'any' });
  const shown: ProtectionLevel | 'refused' = lax.outcome.outcome === 'sent' ? lax.outcome.message.level : 'refused';
  await closeSessions(alice, bob);
  const text = newMarker();
  const strict = await exchange(alice, bob, { text, way: 'msrp', policy: 'require-e2ae' });
  const reason = strict.outcome.outcome === 'refused' ? strict.outcome.refusal.code : 'sent';
  return {
    attack: "TLS without the network's indication",
    outcome: `under any: shown as ${shown}; under require-e2ae: ${reason}`,
    ok:
      shown === 'unverified' &&
      lax.received?.level === 'unverified' &&
      reason === 'no-network-indication' &&
      strict.received === undefined,
  };
}

async function stolenTicket(stage: Stage): Promise<AttackRow> {
  const { lab, alice, bob } = stage;
  const stolen = lab.nextMessageBody();
  await exchange(alice, bob, { text: newMarker(), way: 'message', policy: 'require-e2e' });
  const attempts = await resolveStolenTicket(stage, await stolen, { thief: 'carol', victim: 'bob' });
  return {
    attack: 'a ticket taken from the wire and resolved by a third party',
    outcome: attempts.map((attempt) => `${attempt.how}: KMS answers ${attempt.status}`).join('; '),
    ok: attempts.length === 2 && attempts.every((attempt) => attempt.status === 401 || attempt.status === 403),
  };
}

async function replayedMessage({ lab, alice, bob }: Stage): Promise<AttackRow> {
  lab.faults.replayMessages = true;
  const text = newMarker();
  const arrivals = watch(bob, (message) => message.text === text);
  const refusals = watchRefusals(bob);
  await exchange(alice, bob, { text, way: 'message', policy: 'require-e2e' });
  await pause(quietTime);
  arrivals.stop();
  refusals.stop();
  const replays = lab.replays().length;
  return {
    attack: 'a MESSAGE delivered a second time',
    outcome: `shown ${arrivals.seen.length}x; copies of it and of its receipts came (${replays}), the UE said: ${refusals.seen.join(', ')}`,
    ok: arrivals.seen.length === 1 && replays >= 1 && refusals.seen.join() === 'replayed',
  };
}

async function changedCiphertext({ lab, alice, bob }: Stage): Promise<AttackRow> {
  lab.faults.flipCmsBit = true;
  const arrivals = watch(bob, (message) => message.text !== '');
  const refusals = watchRefusals(bob);
  const outcome = await alice.account.sendMessage({
    to: bob.account.config.identity,
    text: newMarker(),
    way: 'message',
    policy: 'require-e2e',
  });
  await pause(quietTime);
  arrivals.stop();
  refusals.stop();
  const told = outcome.outcome === 'refused' ? outcome.refusal.code : outcome.outcome;
  return {
    attack: 'one bit of the CMS turned on the way',
    outcome: `the receiver said: ${refusals.seen.join(', ')}; shown ${arrivals.seen.length}x; the sender was told: ${told}`,
    ok: arrivals.seen.length === 0 && refusals.seen.join() === 'decryption-failed' && told !== 'sent',
  };
}

/** Writes to somebody for whom no ticket is held yet, so that the KMS has to be asked. */
async function falseKeyManagement({ lab, alice }: Stage): Promise<AttackRow> {
  lab.faults.kmsWrongKey = true;
  const sentMessages = (): number => lab.captured.filter((message) => message.method === 'MESSAGE').length;
  const before = sentMessages();
  const outcome = await alice.account.sendMessage({
    to: lab.ueConfig('carol').identity,
    text: newMarker(),
    way: 'message',
    policy: 'require-e2e',
  });
  const sent = sentMessages() - before;
  const reason = outcome.outcome === 'refused' ? outcome.refusal.code : 'sent';
  return {
    attack: 'the KMS answers under a wrong key',
    outcome: sent === 0 ? `${reason}; no MESSAGE left the UE` : 'A MESSAGE WAS SENT',
    ok: reason === 'kms-answer-invalid' && sent === 0,
  };
}
