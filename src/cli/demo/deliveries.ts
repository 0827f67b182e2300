import type { ChatMessage, SendOutcome } from '../../engine/chat-message.ts';
import { describeEvidence } from './evidence-words.ts';
import { type Party, closeSessions, exchange, newMarker } from './parties.ts';
import type { Lab } from '../../lab/lab.ts';
import { type DeliveryRow, type WireProof, wayNames } from './report.ts';

const destinations = { e2ae: 'to the network edge', e2e: 'end to end' } as const;
const demanded = { e2ae: 'require-e2ae', e2e: 'require-e2e' } as const;

/** Sends one marked message and looks for the mark in everything that the lab recorded meanwhile. */
export async function deliver(
  lab: Lab,
  sender: Party,
  receiver: Party,
  way: DeliveryRow['way'],
  reach: DeliveryRow['reach'],
): Promise<DeliveryRow> {
  const marker = newMarker();
  await closeSessions(sender, receiver);
  lab.recorder.clear();
  const { outcome, received } = await exchange(sender, receiver, {
    text: `This ${wayNames[way]} goes ${destinations[reach]}. Mark: ${marker}`,
    way,
    policy: demanded[reach],
  });
  const proof = wireProof(lab, marker);
  const sent = outcome.outcome === 'sent' ? outcome.message : undefined;
  const problem = problemOf(reach, outcome, received, proof);
  return {
    way,
    reach,
    from: sender.name,
    to: receiver.name,
    levelSent: sent?.level,
    levelReceived: received?.level,
    evidence: received?.evidence === undefined ? '' : describeEvidence(received.evidence),
    proof,
    ok: problem === undefined,
    ...(problem === undefined ? {} : { problem }),
  };
}

export function wireProof(lab: Lab, marker: string): WireProof {
  const { accessLeg, insideEdge } = lab.recorder.find(marker);
  return { accessLeg: accessLeg.count, insideEdge: insideEdge.count, octetsOnAccessLeg: accessLeg.octets };
}

function problemOf(
  reach: DeliveryRow['reach'],
  outcome: SendOutcome,
  received: ChatMessage | undefined,
  proof: WireProof,
): string | undefined {
  if (outcome.outcome === 'refused') return `refused: ${outcome.refusal.code}`;
  if (outcome.outcome === 'offered') return 'offered as a file';
  if (received === undefined) return 'not delivered';
  if (outcome.message.level !== reach) return `the sender was told ${outcome.message.level}`;
  if (received.level !== reach) return `the receiver was shown ${received.level}`;
  if (proof.octetsOnAccessLeg === 0) return 'nothing was recorded';
  if (proof.accessLeg > 0) return 'the plaintext stood on the access leg';
  const isInside = proof.insideEdge > 0;
  if (isInside !== (reach === 'e2ae')) {
    return isInside
      ? 'the edge saw the plaintext'
      : 'the edge did not see the plaintext, so it was not the end of e2ae';
  }
  return undefined;
}
