import type { Protocol } from 'electron';
import type { Page } from '../src/node/screens/pages.ts';
import { securityHeaders } from '../src/node/screens/security-headers.ts';

/** The origin of the screens; nothing else is ever loaded. */
export const screensScheme = 'app';
export const screensUrl = `${screensScheme}://tessera/`;

/** Must run before the application is ready. */
export function declareScheme(protocol: Protocol): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: screensScheme, privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ]);
}

/** Serves the screens from memory: a path that names no page of ours, however it is written, is not found. */
export function serveScreens(protocol: Protocol, pages: ReadonlyMap<string, Page>): void {
  protocol.handle(screensScheme, (request) => answer(request, pages));
}

function answer(request: Request, pages: ReadonlyMap<string, Page>): Response {
  const headers = securityHeaders();
  const page = request.method === 'GET' ? pages.get(pathOf(request.url)) : undefined;
  if (page === undefined) return new Response('There is no such page.', { status: 404, headers });
  return new Response(page.body, { headers: { ...headers, 'Content-Type': page.contentType } });
}

/** The path of a page; empty, which no page has, for every other origin and for what is no URL. */
function pathOf(url: string): string {
  if (!isOurs(url)) return '';
  return new URL(url).pathname;
}

/** Whether a URL belongs to the screens. */
export function isOurs(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, host, username, password } = new URL(url);
  return protocol === `${screensScheme}:` && host === 'tessera' && username === '' && password === '';
}
