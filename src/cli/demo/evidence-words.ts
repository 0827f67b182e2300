import type { Evidence } from '../../engine/evidence.ts';

const day = (at: number): string => `${new Date(at).toISOString().slice(0, 16)}Z`;

/** An evidence in one line. */
export function describeEvidence(evidence: Evidence): string {
  switch (evidence.kind) {
    case 'msrp-psk-tls':
      return `${evidence.tls.version} ${evidence.tls.suite}, key ${evidence.keyId} by ${evidence.kms}${ticketWords(evidence.ticket)}`;
    case 'msrp-fingerprint-tls':
      return `${evidence.tls.version} ${evidence.tls.suite}, fingerprint ${evidence.peerFingerprint.slice(0, 11)}.., network says ${evidence.indication}`;
    case 'msrp-relay':
      return `${evidence.tls.version} ${evidence.tls.suite} to the relay ${evidence.relay}, ${evidence.beyond} beyond`;
    case 'msrp-plain':
      return 'TCP, no protection';
    case 'message-psk-mime':
      return `CMS ${evidence.contentEncryption}, origin ${evidence.origin}, by ${evidence.kms}${ticketWords(evidence.ticket)}`;
    case 'message-signalling':
      return evidence.tls === undefined
        ? `SIP over ${evidence.transport?.toUpperCase() ?? 'an unknown way'}, no protection`
        : `${evidence.tls.version} ${evidence.tls.suite}, agreed ${evidence.securityAgreement.join(' + ') || 'nothing'}`;
  }
}

function ticketWords(ticket: { readonly validUntil?: number }): string {
  return ticket.validUntil === undefined ? '' : `, ticket to ${day(ticket.validUntil)}`;
}
