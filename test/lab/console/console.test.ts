import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, type ClientOptions } from 'ws';
import { startConsole, type Console } from '../../../src/lab/console/index.ts';
import { PickedFiles } from '../../../src/node/bridge/picked-files.ts';
import { ScriptedHost } from '../../support/scripted-host.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let folder: string;
let page: Console;
let host: ScriptedHost;
let picked: PickedFiles;
let origin: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'console-'));
  await mkdir(join(folder, 'assets'));
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>Tessera</title>');
  await writeFile(join(folder, 'assets', 'app.js'), 'export {};');
  host = new ScriptedHost();
  picked = new PickedFiles();
  page = await startConsole({ host, title: 'Alice <script>', rendererDir: folder, picked });
  origin = new URL(page.url).origin;
});

afterEach(async () => {
  await page.stop();
  await rm(folder, { recursive: true });
});

function get(path: string, headers: Record<string, string> = {}, method = 'GET', sent = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // node:http, not fetch: fetch neither sets Host nor keeps "..", both of which an attacker can.
    const request = httpRequest(
      { host: '127.0.0.1', port: new URL(page.url).port, path, method, headers, agent: false },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      },
    );
    request.on('error', reject).end(sent);
  });
}

async function enter(): Promise<string> {
  const answer = await get(new URL(page.url).pathname + new URL(page.url).search);
  return answer.headers['set-cookie']![0]!.split(';')[0]!;
}

function connect(headers: Record<string, string>, path = '/bridge'): Promise<WebSocket | number> {
  const options: ClientOptions = { headers };
  const socket = new WebSocket(`${origin.replace('http', 'ws')}${path}`, options);
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(socket));
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
    socket.on('error', reject);
  });
}

async function openSocket(headers: Record<string, string>): Promise<WebSocket> {
  const socket = await connect(headers);
  if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
  return socket;
}

function nextMessage(socket: WebSocket): Promise<unknown> {
  return new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(JSON.parse(data.toString('utf8')))));
}

describe('console', () => {
  it('exchanges the token of the address for a cookie once; reloads work, a second browser does not', async () => {
    const address = new URL(page.url).pathname + new URL(page.url).search;
    const first = await get(address);
    expect(first).toMatchObject({ status: 303, headers: { location: '/' } });
    expect(first.headers['set-cookie']![0]).toMatch(/HttpOnly; SameSite=Lax/);
    const cookie = first.headers['set-cookie']![0]!.split(';')[0]!;
    expect((await get('/', { cookie })).status).toBe(200);
    expect((await get('/', { cookie })).status).toBe(200);
    expect((await get(address, { cookie })).status).toBe(303);
    expect((await get(address)).status).toBe(403);
    expect((await get('/')).status).toBe(403);
  });

  it('refuses a wrong token', async () => {
    expect((await get('/enter?token=00')).status).toBe(403);
    expect((await get('/enter')).status).toBe(403);
    expect((await get('/', { cookie: 'tessera-console=1' })).status).toBe(403);
  });

  it('forbids what a page of ours never does, on every answer', async () => {
    const cookie = await enter();
    for (const answer of [await get('/', { cookie }), await get('/nothing', { cookie }), await get('/')]) {
      expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
      expect(answer.headers['content-security-policy']).toContain("default-src 'self'");
      expect(answer.headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(answer.headers['content-security-policy']).not.toContain('unsafe');
    }
  });

  it('serves the built files and nothing else', async () => {
    const cookie = await enter();
    expect((await get('/assets/app.js', { cookie })).headers['content-type']).toMatch(/javascript/);
    for (const path of ['/../../etc/passwd', '/assets/../../package.json', '/%2e%2e/package.json', '/index.html/..']) {
      expect((await get(path, { cookie })).body).not.toMatch(/root:|"name"/);
    }
    expect((await get('/', { cookie }, 'POST')).status).toBe(405);
  });

  it('takes files of its own page, under tokens, and drops them at its end', async () => {
    const cookie = await enter();
    const name = encodeURIComponent('../../größe .txt');
    const answer = await get('/files', { cookie, origin, 'x-file-name': name }, 'POST', 'hello');
    expect(answer.status).toBe(200);
    const file = JSON.parse(answer.body) as { token: string; name: string };
    expect(file).toMatchObject({ name: '_.._größe.txt', size: 5, type: 'text/plain' });
    expect(answer.body).not.toContain(tmpdir());
    const path = picked.take(file.token)!;
    expect(path.startsWith(join(tmpdir(), 'tessera-uploads-'))).toBe(true);
    expect(await readFile(path, 'utf8')).toBe('hello');
    await page.stop();
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
    page = await startConsole({ host, title: 'again', rendererDir: folder });
  });

  it('takes no files of anybody else', async () => {
    const cookie = await enter();
    const named = { 'x-file-name': 'a' };
    for (const headers of [
      { origin, ...named },
      { cookie, ...named },
      { cookie, origin: 'http://127.0.0.1:1', ...named },
      { cookie, origin, host: 'evil.example', ...named },
    ]) {
      expect((await get('/files', headers, 'POST', 'x')).status).toBe(403);
    }
    expect((await get('/files', { cookie, origin }, 'POST', 'x')).status).toBe(400);
    expect((await get('/files', { cookie, origin, 'x-file-name': '%zz' }, 'POST', 'x')).status).toBe(400);
  });

  it('escapes the title', async () => {
    const { body } = await get('/', { cookie: await enter() });
    expect(body).toContain('<title>Alice &#60;script&#62;</title>');
  });

  it('refuses a foreign Host (DNS rebinding)', async () => {
    const cookie = await enter();
    expect((await get('/', { cookie, host: 'evil.example' })).status).toBe(403);
    expect(await connect({ cookie, host: 'evil.example', origin: 'http://evil.example' })).toBe(403);
  });

  it('opens the bridge only with cookie, own origin and right path', async () => {
    const cookie = await enter();
    expect(await connect({ origin })).toBe(403);
    expect(await connect({ cookie })).toBe(403);
    expect(await connect({ cookie, origin: 'http://127.0.0.1:1' })).toBe(403);
    expect(await connect({ cookie, origin }, '/bridge/x')).toBe(403);
    const socket = await openSocket({ cookie, origin });
    socket.close();
  });

  it('carries calls and events', async () => {
    const socket = await openSocket({ cookie: await enter(), origin });
    socket.send(JSON.stringify({ id: 1, call: 'getSnapshot', input: {} }));
    expect(await nextMessage(socket)).toMatchObject({ id: 1, ok: true, output: { accounts: [{ id: 'alice' }] } });
    const event = nextMessage(socket);
    host.receive('sip:bob@lab.test', 'hello', 'e2e');
    expect(await event).toMatchObject({ event: 'message', payload: { message: { text: 'hello' } } });
  });

  it('answers garbage with a typed error and goes on', async () => {
    const socket = await openSocket({ cookie: await enter(), origin });
    socket.send('{ not json');
    expect(await nextMessage(socket)).toMatchObject({ id: null, ok: false, error: { code: 'invalid-envelope' } });
    socket.send(JSON.stringify({ id: 2, call: 'getSnapshot', input: {} }));
    expect(await nextMessage(socket)).toMatchObject({ id: 2, ok: true });
  });

  it('closes a connection that sends too much', async () => {
    const socket = await openSocket({ cookie: await enter(), origin });
    const closed = new Promise<number>((resolve) => socket.on('close', resolve));
    socket.on('error', () => undefined);
    socket.send('x'.repeat(1024 * 1024 + 1));
    expect(await closed).toBe(1009);
  });

  it('says how to build the screens when they are missing', async () => {
    await expect(startConsole({ host, title: 'x', rendererDir: join(folder, 'none') })).rejects.toThrow(
      /build:renderer/,
    );
  });
});
