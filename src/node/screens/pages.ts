import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';

export interface Page {
  readonly contentType: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
};

/**
 * Reads the built screens into memory, by URL path. Nothing is looked up on disk later, so no path can escape the folder.
 * @param title replaces the title of the page until the screens set their own.
 * @throws Error when the folder holds no index.html: the screens were not built.
 */
export async function loadPages(folder: string, title = 'Tessera'): Promise<ReadonlyMap<string, Page>> {
  const pages = new Map<string, Page>();
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const contentType = contentTypes[extname(entry.name)];
    if (!entry.isFile() || contentType === undefined) continue;
    const file = join(entry.parentPath, entry.name);
    const path = file.slice(folder.length).replaceAll('\\', '/').replace(/^\/*/, '/');
    pages.set(path, { contentType, body: Uint8Array.from(await readFile(file)) });
  }
  const index = pages.get('/index.html');
  if (index === undefined) throw new Error('The screens are not built: run "npm run build:renderer" first.');
  pages.set('/', { ...index, body: withTitle(index.body, title) });
  pages.delete('/index.html');
  return pages;
}

function withTitle(html: Uint8Array, title: string): Uint8Array<ArrayBuffer> {
  const escaped = title.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
  const text = Buffer.from(html).toString('utf8');
  return Uint8Array.from(Buffer.from(text.replace(/<title>[^<]*<\/title>/, () => `<title>${escaped}</title>`)));
}
