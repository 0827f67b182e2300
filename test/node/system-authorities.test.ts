import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { createCertificateAuthority } from '../../src/crypto/certificate-authority.ts';
import { trustSystemAuthorities } from '../../src/node/system-authorities.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { closeAfterTest, issued, tlsEcho } from './sip/support/sip-servers.ts';
import { needing } from '../support/needs/needs.ts';

const transport = fileURLToPath(new URL('../../src/node/sip/transport.ts', import.meta.url));

describe('the authorities of the operating system', () => {
  it.each([
    ['are trusted with the extra ones', ['a', 'b'], ['b', 'c'], ['a', 'b', 'c']],
    ['that are none leave what there is', [], ['c'], undefined],
  ])('%s', (_, system, extra, expected) => {
    const set = vi.fn();
    trustSystemAuthorities({
      getCACertificates: (type) => (type === 'system' ? system : extra),
      setDefaultCACertificates: set,
    });
    expect(set.mock.calls).toEqual(expected === undefined ? [] : [[expected]]);
  });

  it('that this build cannot tell leave what there is', () => {
    expect(() => trustSystemAuthorities({})).not.toThrow();
  });

  const lackOfLinux =
    process.platform === 'linux'
      ? undefined
      : { reason: 'authorities of the operating system can be named to Linux only', packages: [] };

  it('prove a SIP server of an account that names none', { timeout: 120_000, ...needing(lackOfLinux) }, async () => {
    const authority = await createCertificateAuthority({ commonName: 'Enterprise root', now: Date.now() });
    const port = await tlsEcho(await issued(authority));
    const folder = temporaryFolder('system-authorities');
    await writeFile(join(folder, 'ca.pem'), authority.certificatePem);
    const hop = `{ protocol: 'tls', address: '127.0.0.1', port: ${port}, host: '127.0.0.1', security: { serverName: 'edge.lab.test', trust: 'system-or-ca' } }`;
    await writeFile(
      join(folder, 'connect.ts'),
      `import { createNodeSipTransport } from ${JSON.stringify(transport)};
         try {
           const connection = await createNodeSipTransport({ connectTimeoutMilliseconds: 60_000 }).connect(${hop});
           process.stdout.write(connection.tls.serverProof);
           connection.close();
         } catch (error) {
           process.stdout.write(error.field);
         }`,
    );
    const proof = (certificates: object): Promise<string> =>
      new Promise((resolve, reject) => {
        const env = { ...process.env, ...certificates };
        const child = spawn(process.execPath, [join(folder, 'connect.ts')], { env });
        closeAfterTest(() => child.kill());
        let output = '';
        child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
        child.on('error', reject).on('close', () => resolve(output));
      });
    // Where the operating system's authorities are is said so to OpenSSL.
    const ours = { SSL_CERT_FILE: join(folder, 'ca.pem'), SSL_CERT_DIR: folder };
    expect(await proof(ours)).toBe('authority');
    expect(await proof({})).toBe('sip.tls');
  });
});
