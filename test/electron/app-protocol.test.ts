import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Protocol } from 'electron';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { declareScheme, serveScreens } from '../../electron/app-protocol.ts';
import { loadPages } from '../../src/node/screens/pages.ts';

let folder: string;
let handler: (request: Request) => Response;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'app-'));
  await mkdir(join(folder, 'renderer', 'assets'), { recursive: true });
  await writeFile(join(folder, 'secret.json'), '{"password":"hunter2"}');
  await writeFile(join(folder, 'renderer', 'index.html'), '<title>Tessera</title>');
  await writeFile(join(folder, 'renderer', 'assets', 'app.js'), 'export {};');
  const protocol = { handle: (_scheme: string, given: typeof handler) => (handler = given) };
  serveScreens(protocol as unknown as Protocol, await loadPages(join(folder, 'renderer')));
});

afterEach(() => rm(folder, { recursive: true }));

describe('app protocol', () => {
  it('is declared as a secure standard scheme without a way around the page policy', () => {
    const registerSchemesAsPrivileged = vi.fn();
    declareScheme({ registerSchemesAsPrivileged } as unknown as Protocol);
    const [[[{ scheme, privileges }]]] = registerSchemesAsPrivileged.mock.calls as [
      [[{ scheme: string; privileges: object }]],
    ];
    expect(scheme).toBe('app');
    expect(privileges).toEqual({ standard: true, secure: true, supportFetchAPI: true });
  });

  it('serves the screens under a strict policy', async () => {
    const answer = handler(new Request('app://tessera/'));
    expect(await answer.text()).toContain('Tessera');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(answer.headers.get('content-security-policy')).not.toMatch(/unsafe|http|ws:/);
    expect(handler(new Request('app://tessera/assets/app.js')).headers.get('content-type')).toMatch(/javascript/);
  });

  it.each([
    'app://tessera/../secret.json',
    'app://tessera/%2e%2e/secret.json',
    'app://tessera/..%2fsecret.json',
    'app://tessera/assets/..%5c..%5csecret.json',
    'app://tessera/%00',
    'app://other/',
    'file:///etc/passwd',
  ])('does not find %s', async (url) => {
    const answer = handler(new Request(url));
    expect(answer.status).toBe(404);
    expect(await answer.text()).not.toContain('hunter2');
  });

  it('answers GET only', () => {
    expect(handler(new Request('app://tessera/', { method: 'POST' })).status).toBe(404);
  });
});
