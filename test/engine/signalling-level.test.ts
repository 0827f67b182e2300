import { expect, it } from 'vitest';
import { signallingProtection } from '../../src/engine/messages/signalling-level.ts';
import type { FlowFacts, SecurityAgreement } from '../../src/engine/sip/index.ts';

const tls = { version: 'TLSv1.3', suite: 'TLS_AES_256_GCM_SHA384' };
const agreement: SecurityAgreement = { client: ['tls'], server: ['tls;q=0.2'], tls: true, msrpTls: false };
const without: SecurityAgreement = { ...agreement, tls: false };

it.each<[FlowFacts['protocol'], Omit<FlowFacts, 'protocol'>, string]>([
  ['udp', {}, 'none'],
  ['tcp', {}, 'none'],
  ['ws', {}, 'none'],
  ['tls', { tls }, 'unverified'],
  ['wss', { tls }, 'unverified'],
  ['tls', { tls, securityAgreement: without }, 'unverified'],
  ['wss', { tls, securityAgreement: without }, 'unverified'],
  ['tls', { tls, securityAgreement: agreement }, 'e2ae'],
  ['wss', { tls, securityAgreement: agreement }, 'e2ae'],
  // Whatever an unprotected flow says of itself.
  ['udp', { securityAgreement: agreement }, 'none'],
  ['ws', { securityAgreement: agreement }, 'none'],
])('%s with %o is worth %s, and the proof names it', (protocol, facts, level) => {
  const protection = signallingProtection({ protocol, ...facts }, 1_000);
  expect(protection.level).toBe(level);
  expect(protection.evidence).toMatchObject({
    kind: 'message-signalling',
    transport: protocol,
    vouchedBy: level === 'e2ae' ? 'network' : 'nobody',
    verifiedAt: 1_000,
  });
});

it('is nothing without a flow, and the proof names no transport', () => {
  const { level, evidence } = signallingProtection(undefined, 1_000);
  expect(level).toBe('none');
  expect('transport' in evidence).toBe(false);
});
