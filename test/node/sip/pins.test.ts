import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { certificateSha256 } from '../../../src/crypto/certificate.ts';
import { createCertificateAuthority, type CertificateAuthority } from '../../../src/crypto/certificate-authority.ts';
import type { ServerPins, SipTarget } from '../../../src/engine/ports.ts';
import { ServerPinError } from '../../../src/engine/server-pin-error.ts';
import { createServerPinFile } from '../../../src/node/sip/server-pins.ts';
import { createNodeSipTransport } from '../../../src/node/sip/transport.ts';
import { issue, makeKeys, privateKeyPem } from '../../support/pki.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { issued, open, tlsEcho } from './support/sip-servers.ts';

interface Shown {
  readonly cert: string;
  readonly key: string;
}

let authority: CertificateAuthority;
let first: Shown;
let second: Shown;
let certified: Shown;

beforeAll(async () => {
  authority = await createCertificateAuthority({ commonName: 'Test root', now: Date.now() });
  const selfSigned = async (): Promise<Shown> => {
    const { pem, keys } = await issue({ name: 'edge', keys: await makeKeys('ec'), dnsNames: ['edge.lab.test'] });
    return { cert: pem, key: privateKeyPem(keys) };
  };
  [first, second] = [await selfSigned(), await selfSigned()];
  certified = await issued(authority);
}, 60_000);

const sha256 = ({ cert }: Shown): string => certificateSha256(Uint8Array.from(new X509Certificate(cert).raw));

async function targetWith(shown: Shown): Promise<SipTarget> {
  const port = await tlsEcho(shown);
  return {
    host: '127.0.0.1',
    port,
    protocol: 'tls',
    serverName: 'Edge.lab.test',
    trust: 'pin-on-first-use',
    trustedCa: authority.certificatePem,
  };
}

function pinFile(): { pins: ServerPins; file: string } {
  const file = join(temporaryFolder('pins'), 'state', 'servers.json');
  return { pins: createServerPinFile(file), file };
}

const proofOf = async (pins: ServerPins, shown: Shown) =>
  (await open(createNodeSipTransport({ pins, connectTimeoutMilliseconds: 30_000 }), await targetWith(shown))).tls
    ?.serverProof;

describe('pin on first use', () => {
  it('remembers the first certificate, knows it again in the next run, and refuses another one with both fingerprints', async () => {
    const { pins, file } = pinFile();
    expect(await proofOf(pins, first)).toBe('first-use');
    expect(await proofOf(createServerPinFile(file), first)).toBe('pin');
    const refused = await proofOf(createServerPinFile(file), second).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ServerPinError);
    expect(refused).toMatchObject({
      field: 'sip.tls.pin',
      serverName: 'edge.lab.test',
      pinned: sha256(first),
      shown: sha256(second),
    });
    expect((refused as Error).message).toContain(sha256(first));
    expect((refused as Error).message).toContain(sha256(second));
    // Refused again: nothing was learnt from it.
    await expect(proofOf(pins, second)).rejects.toBeInstanceOf(ServerPinError);
  });

  it('takes the new one after the user has accepted it, and then refuses the old one', async () => {
    const { pins } = pinFile();
    await proofOf(pins, first);
    await pins.set('edge.lab.test', sha256(second));
    expect(await proofOf(pins, second)).toBe('pin');
    await expect(proofOf(pins, first)).rejects.toBeInstanceOf(ServerPinError);
  });

  it('does not fall from a certified server to one that certifies itself, nor change silently the other way', async () => {
    const { pins } = pinFile();
    expect(await proofOf(pins, certified)).toBe('authority');
    // Another one that the authority certifies: a renewal.
    expect(await proofOf(pins, await issued(authority))).toBe('authority');
    await expect(proofOf(pins, first)).rejects.toMatchObject({ field: 'sip.tls.pin', pinned: 'authority' });
    const other = pinFile().pins;
    await proofOf(other, first);
    await expect(proofOf(other, certified)).rejects.toMatchObject({ pinned: sha256(first), shown: sha256(certified) });
  });

  it('of two servers that are met at the same time only one is remembered', async () => {
    const { pins } = pinFile();
    const transport = createNodeSipTransport({ pins, connectTimeoutMilliseconds: 30_000 });
    const targets = [await targetWith(first), await targetWith(second)];
    const outcomes = await Promise.allSettled(targets.map((target) => open(transport, target)));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('is refused for other accounts, and without a place to remember in', async () => {
    const { pins, file } = pinFile();
    const target = await targetWith(first);
    const transport = createNodeSipTransport({ pins, connectTimeoutMilliseconds: 30_000 });
    await expect(open(transport, { ...target, trust: 'system-or-ca' })).rejects.toMatchObject({ field: 'sip.tls' });
    await expect(readFile(file)).rejects.toThrow(/ENOENT/);
    await expect(open(createNodeSipTransport(), target)).rejects.toMatchObject({ kind: 'local', field: 'sip.tls.pin' });
  });
});

describe('the file of remembered servers', () => {
  it('keeps what is written side by side, whatever the case of the name', async () => {
    const { pins, file } = pinFile();
    await Promise.all([
      pins.set('A.test', sha256(first)),
      pins.set('b.test', sha256(second)),
      pins.set('c.test', 'authority'),
    ]);
    const again = createServerPinFile(file);
    expect([
      await again.get('a.test'),
      await again.get('B.TEST'),
      await again.get('c.test'),
      await again.get('d.test'),
    ]).toEqual([sha256(first), sha256(second), 'authority', undefined]);
  });

  it.each([
    ['empty', ''],
    ['no JSON', '{"version":1'],
    ['of another version', '{"version":2,"pins":{}}'],
    ['with another value', '{"version":1,"pins":{"a.test":"AA"}}'],
    ['too long', ' '.repeat(1024 * 1024 + 1)],
  ])('that is %s is not taken for none, and stays as it is', async (_, content) => {
    const file = join(temporaryFolder('pins'), 'servers.json');
    await writeFile(file, content);
    const pins = createServerPinFile(file);
    await expect(pins.get('a.test')).rejects.toMatchObject({ field: 'sip.pins' });
    await expect(pins.set('a.test', sha256(first))).rejects.toMatchObject({ field: 'sip.pins' });
    await expect(proofOf(pins, first)).rejects.toMatchObject({ field: 'sip.pins' });
    expect(await readFile(file, 'utf8')).toBe(content);
  });

  it('takes nothing but fingerprints', async () => {
    await expect(pinFile().pins.set('a.test', 'anything')).rejects.toMatchObject({ field: 'sip.pins' });
  });
});
