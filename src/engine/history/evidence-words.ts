import type { ProtectionLevel } from '../../base/protection-level.ts';
import type { ChatMessage, MessageState } from '../chat-message.ts';
import type { Evidence, TicketEvidence } from '../evidence.ts';

/** A name and what it is, in words. */
export type Fact = readonly [name: string, value: string];

export const levelWords: Readonly<Record<ProtectionLevel, string>> = {
  e2e: 'End to end: read by the two ends, and by whoever runs the key management server',
  e2ae: 'To the network edge: the operator’s network can read it',
  unverified: 'Encrypted, the other end not verified',
  none: 'Not encrypted',
};

export const stateWords: Readonly<Record<MessageState, string>> = {
  queued: 'not sent yet',
  sent: 'sent, not known to have arrived',
  accepted: 'taken by the network',
  delivered: 'arrived',
  displayed: 'seen',
  failed: 'failed',
  received: 'received',
  undecryptable: 'could not be read',
  refused: 'refused',
};

/** How a message was protected, in one sentence; of an imported one nothing was proven here. */
export function protectionWords({ level, state, imported }: ChatMessage): string {
  if (imported !== undefined) return `By the exporter’s word: ${levelWords[imported.level]}`;
  if (state === 'queued') return 'Not sent yet';
  if (state === 'refused' && level === 'none') return 'Nothing left this device';
  return levelWords[level];
}

/** An evidence, fact by fact. */
export function evidenceFacts(evidence: Evidence): readonly Fact[] {
  const shared: Fact[] = [
    [
      'Vouched for by',
      { kms: 'the key management server', network: 'the network', nobody: 'nobody' }[evidence.vouchedBy],
    ],
    ...('verifiedAt' in evidence ? [['Verified', time(evidence.verifiedAt)] as const] : []),
    ...evidence.notProtected.map((what) => ['Not protected', what] as const),
  ];
  return [...ownFacts(evidence), ...shared];
}

export function time(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime())
    ? 'an unknown time'
    : date
        .toISOString()
        .replace('T', ' ')
        .replace(/\.\d+Z$/, ' UTC');
}

function ownFacts(evidence: Evidence): readonly Fact[] {
  switch (evidence.kind) {
    case 'msrp-psk-tls':
      return [
        ['Way', 'session over TLS with a pre-shared key'],
        ['TLS', `${evidence.tls.version} ${evidence.tls.suite}`],
        ['Key management server', evidence.kms],
        ['Key', evidence.keyId],
        ['Peer', evidence.peer],
        ...ticketFacts(evidence.ticket),
      ];
    case 'msrp-fingerprint-tls':
      return [
        ['Way', 'session over TLS with certificate fingerprints'],
        ['TLS', `${evidence.tls.version} ${evidence.tls.suite}`],
        ['Fingerprint of the other end', evidence.peerFingerprint],
        ['Own fingerprint', evidence.localFingerprint],
        ['The network says', evidence.indication],
      ];
    case 'msrp-relay':
      return [
        ['Way', 'session through a relay'],
        ['TLS to the relay', `${evidence.tls.version} ${evidence.tls.suite}`],
        ['Relay', `${evidence.relay} (${evidence.side === 'own' ? 'ours' : 'of the other side'})`],
        ['Behind it', evidence.beyond],
      ];
    case 'msrp-plain':
      return [['Way', 'session without encryption']];
    case 'message-psk-mime':
      return [
        ['Way', 'SIP message with an encrypted body'],
        ['Encryption', evidence.contentEncryption],
        ['Key management server', evidence.kms],
        ['Key', evidence.keyId],
        ['Origin', evidence.origin],
        ...ticketFacts(evidence.ticket),
      ];
    case 'message-signalling':
      return [
        ['Way', `SIP message over ${evidence.transport}`],
        ...(evidence.tls === undefined ? [] : [['TLS', `${evidence.tls.version} ${evidence.tls.suite}`] as const]),
        ['Security agreement', evidence.securityAgreement.join(', ') || 'none'],
      ];
  }
}

function ticketFacts({ issuedAt, validUntil, credential }: TicketEvidence): readonly Fact[] {
  return [
    ['Ticket issued', time(issuedAt)],
    ...(validUntil === undefined ? [] : [['Ticket valid until', time(validUntil)] as const]),
    ...(credential === undefined ? [] : [['Own key with the server', credential] as const]),
  ];
}
