// @vitest-environment jsdom
import { screen, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Evidence, MessageWay, ProtectionLevel } from '../../../src/contract/index.ts';
import { evidenceFor } from '../../support/evidence.ts';
import { renderApp } from '../support/render-app.tsx';

const bob = 'sip:bob@lab.test';

async function openSheet(
  level: ProtectionLevel,
  way: MessageWay,
  change: (evidence: Evidence) => Evidence = (same) => same,
) {
  const { host, user } = await renderApp();
  const at = Date.UTC(2026, 10, 23, 12);
  host.receive(bob, 'hello', level, { way, at, evidence: change(evidenceFor(level, way, at, bob)) });
  await user.click(await screen.findByRole('row', { name: /^bob/ }));
  await user.click(await screen.findByRole('button', { name: /Why\?$/ }));
  const sheet = await screen.findByRole('dialog');
  await user.click(within(sheet).getByRole('button', { name: 'Technical detail' }));
  return (name: string) => within(sheet).getByText(name, { selector: 'dt' }).nextElementSibling?.textContent;
}

describe('proof of protection', () => {
  it('tells a sealed message: who wrote it, who vouches, ticket, key', async () => {
    const fact = await openSheet('e2e', 'message');
    expect(fact('Who wrote it')).toBe('Proven: bob@lab.test');
    expect(fact('Who vouches')).toBe('The key server kms.lab.test');
    expect(fact('Ticket issued')).toBe('2026-11-23T11:58:25.000Z');
    expect(fact('Ticket valid until')).toBe('2026-11-23T12:58:20.000Z');
    expect(fact('Own key for that server')).toBe('Bootstrapped with the SIM (GBA)');
    expect(fact('Content encryption')).toBe('AES-256-GCM');
    expect(fact('Key identifier')).toBe('5b1c09ee01a7c4f2');
    expect(fact('Verified')).toBe('2026-11-23T12:00:00.000Z');
  });

  it('names the relay that reads a session, and vouches for nobody', async () => {
    const fact = await openSheet('unverified', 'msrp', (evidence) => ({
      kind: 'msrp-relay',
      tls: { version: 'TLSv1.3', suite: 'TLS_AES_256_GCM_SHA384' },
      relay: 'relay.example',
      side: 'own',
      beyond: 'tls',
      vouchedBy: 'nobody',
      verifiedAt: 0,
      notProtected: evidence.notProtected,
    }));
    expect(fact('MSRP relay')).toBe('relay.example (own)');
    expect(fact('Who vouches')).toMatch(/^Nobody/);
    expect(fact('Protected by')).toMatch(/relay/);
  });

  it('does not let an unproven sender pass as proven', async () => {
    const fact = await openSheet('unverified', 'message', (evidence) => ({
      ...(evidenceFor('e2e', 'message', 0, bob) as Extract<Evidence, { kind: 'message-psk-mime' }>),
      notProtected: evidence.notProtected,
      origin: 'unproven',
    }));
    expect(fact('Who wrote it')).toBe('Not proven. The name of the sender is only claimed');
  });

  it('tells an end-to-end session: suite, version, who connected, peer', async () => {
    const fact = await openSheet('e2e', 'msrp');
    expect(fact('TLS version')).toBe('TLSv1.2');
    expect(fact('Cipher suite')).toBe('TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256');
    expect(fact('Who connected')).toBe('This device');
    expect(fact('Peer identity at the key server')).toBe(bob);
  });

  it('tells a session to the edge: what the network said, fingerprints in groups of four octets', async () => {
    const fact = await openSheet('e2ae', 'msrp');
    expect(fact('Who vouches')).toBe('Your network');
    expect(fact('What the network said')).toBe('That it protects this session to its edge');
    const groups = [
      ...screen.getByText('Other end’s certificate (SHA-256)').nextElementSibling!.querySelectorAll('span > span'),
    ];
    expect(groups.map((group) => group.textContent.length)).toEqual(Array(8).fill(11));
    expect(groups[0]?.textContent).toBe('AB D0 F5 1A');
  });

  it('says when the network only announced it', async () => {
    const fact = await openSheet('e2ae', 'msrp', (evidence) => ({
      ...(evidence as Extract<Evidence, { kind: 'msrp-fingerprint-tls' }>),
      indication: 'inferred-from-registration',
    }));
    expect(fact('What the network said')).toContain('It did not repeat that for this session');
  });

  it('claims nothing for an end point that nobody vouched for', async () => {
    const fact = await openSheet('unverified', 'msrp');
    expect(fact('Who vouches')).toBe('Nobody');
    expect(screen.getByText('What is known')).toBeTruthy();
    expect(screen.queryByText('What proves it')).toBeNull();
  });

  it('tells signalling protection and what was agreed', async () => {
    const fact = await openSheet('e2ae', 'message');
    expect(fact('Signalling transport')).toBe('TLS');
    expect(fact('Security agreement')).toBe('tls;q=0.2, msrp-tls;mediasec');
  });

  it.each(['message', 'msrp'] as const)('says plainly that a %s without encryption has none', async (way) => {
    const fact = await openSheet('none', way);
    expect(fact('Protected by')).toMatch(/^Nothing/);
    expect(screen.getByText(/It travels in the open/)).toBeTruthy();
  });

  it('always says what is not protected', async () => {
    await openSheet('e2e', 'message');
    const list = screen.getByRole('heading', { name: 'What is not protected' }).nextElementSibling!;
    expect([...list.querySelectorAll('li')].map((item) => item.textContent)).toEqual([
      'who talks to whom, and when',
      'the text, from whoever runs the key management server',
    ]);
  });
});
