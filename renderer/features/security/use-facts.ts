import type { Evidence } from '../../../src/contract/index.ts';
import { useTexts, type Texts } from '../../i18n/text.tsx';
import { plainAddress } from '../../ui/names.ts';
import type { Fact } from './fact-list.tsx';

/** Whose evidence it is: a message's in its direction, or an open session's. */
export interface ProofSubject {
  readonly peer: string;
  readonly direction: 'in' | 'out' | 'session';
}

/** Every fact of the evidence that a user can act on, in plain words. */
export function usePlainFacts(evidence: Evidence, subject: ProofSubject): readonly Fact[] {
  const texts = useTexts();
  const { text, moment } = texts;
  const facts: Fact[] = [{ name: text('fact.how'), value: howItIsProtected(evidence, subject, texts) }];
  const kms = 'kms' in evidence ? plainAddress(evidence.kms) : '';
  facts.push({ name: text('fact.vouched'), value: text(`fact.vouched.${evidence.vouchedBy}`, { kms }) });
  if (evidence.kind === 'message-psk-mime' && subject.direction !== 'session') {
    const value = text(`fact.origin.${evidence.origin}.${subject.direction}`, { peer: plainAddress(subject.peer) });
    facts.push({ name: text('fact.origin'), value });
  }
  if (evidence.kind === 'msrp-fingerprint-tls') {
    facts.push({ name: text('fact.indication'), value: text(`fact.indication.${evidence.indication}`) });
  }
  if ('ticket' in evidence) {
    const { issuedAt, validUntil } = evidence.ticket;
    const issued = moment(issuedAt);
    const value =
      validUntil === undefined
        ? text('fact.ticket.open', { issued })
        : text('fact.ticket.span', { issued, until: moment(validUntil) });
    facts.push({ name: text('fact.ticket'), value });
  }
  if ('verifiedAt' in evidence) {
    const time = moment(evidence.verifiedAt);
    const value = evidence.kind.startsWith('msrp') ? text('fact.verified.session', { time }) : time;
    facts.push({ name: text('fact.verified'), value });
  }
  return facts;
}

function howItIsProtected(evidence: Evidence, subject: ProofSubject, { text }: Texts): string {
  const values = { peer: plainAddress(subject.peer) };
  if (evidence.kind !== 'message-signalling') return text(`fact.how.${evidence.kind}`, values);
  return text(`fact.how.message-signalling.${evidence.transport ?? 'unknown'}`, values);
}

/** The same to the letter, for those who check it against a trace. */
export function useTechnicalFacts(evidence: Evidence): readonly Fact[] {
  const { text } = useTexts();
  const facts: Fact[] = [];
  if ('transport' in evidence) {
    facts.push({ name: text('tech.transport'), value: text(`tech.transport.${evidence.transport}`) });
  }
  if ('tls' in evidence) {
    facts.push({ name: text('tech.tls'), value: evidence.tls.version });
    facts.push({ name: text('tech.suite'), value: evidence.tls.suite });
  }
  if ('contentEncryption' in evidence) {
    facts.push({ name: text('tech.contentEncryption'), value: evidence.contentEncryption });
  }
  if ('relay' in evidence) facts.push({ name: text('tech.relay'), value: `${evidence.relay} (${evidence.side})` });
  if ('role' in evidence) facts.push({ name: text('tech.role'), value: text(`tech.role.${evidence.role}`) });
  if ('kms' in evidence) facts.push({ name: text('tech.kms'), value: evidence.kms });
  if ('peer' in evidence) facts.push({ name: text('tech.peer'), value: evidence.peer });
  if ('keyId' in evidence) facts.push({ name: text('tech.keyId'), value: evidence.keyId });
  if ('ticket' in evidence) {
    facts.push({ name: text('tech.issued'), value: isoTime(evidence.ticket.issuedAt) });
    if (evidence.ticket.validUntil !== undefined) {
      facts.push({ name: text('tech.until'), value: isoTime(evidence.ticket.validUntil) });
    }
    const { credential } = evidence.ticket;
    if (credential !== undefined) {
      facts.push({ name: text('tech.credential'), value: text(`tech.credential.${credential}`) });
    }
  }
  if ('securityAgreement' in evidence) {
    const agreement = evidence.securityAgreement.join(', ');
    facts.push({ name: text('tech.agreement'), value: agreement === '' ? text('tech.agreement.none') : agreement });
  }
  if ('verifiedAt' in evidence) facts.push({ name: text('tech.verifiedAt'), value: isoTime(evidence.verifiedAt) });
  if ('localFingerprint' in evidence) {
    facts.push(fingerprintFact(text('tech.peerFingerprint'), evidence.peerFingerprint));
    facts.push(fingerprintFact(text('tech.localFingerprint'), evidence.localFingerprint));
  }
  return facts;
}

/** Four octets a group, as people compare them over the telephone. */
/** A fingerprint as a fact to be compared by eye. */
export function fingerprintFact(name: string, value: string): Fact {
  const octets = value.split(':');
  const groups = Array.from({ length: Math.ceil(octets.length / 4) }, (_, index) =>
    octets.slice(index * 4, index * 4 + 4).join(' '),
  );
  return { name, value, groups };
}

function isoTime(at: number): string {
  return new Date(at).toISOString();
}
