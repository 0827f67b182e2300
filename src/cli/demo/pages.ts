import { createAccountHost } from '../../node/bridge/account-host.ts';
import { PickedFiles } from '../../node/bridge/picked-files.ts';
import { Downloads } from '../../lab/console/downloads.ts';
import { startConsole } from '../../lab/console/index.ts';
import { buildRenderer } from '../build-renderer.ts';
import type { Party } from './parties.ts';

/** Serves a page for each party and keeps them open until the process is told to end. */
export async function openPages(parties: readonly Party[]): Promise<void> {
  const rendererDir = await buildRenderer();
  const consoles = await Promise.all(
    parties.map(({ name, account, engine }) => {
      const picked = new PickedFiles();
      const downloads = new Downloads();
      const offerDownload = (path: string, file: string) => downloads.offer(path, file);
      const host = createAccountHost([account], {
        files: { choose: 'upload', picked, offerDownload },
        profile: engine,
      });
      return startConsole({ host, title: name, rendererDir, picked, downloads });
    }),
  );
  console.log('\nOpen each page once in a browser on this machine; Ctrl-C ends everything.');
  for (const [index, { url }] of consoles.entries()) console.log(`  ${parties[index]?.name ?? ''}: ${url}`);
  await new Promise<void>((resolve) => {
    process.on('SIGINT', resolve);
    process.on('SIGTERM', resolve);
  });
  await Promise.all(consoles.map((page) => page.stop()));
}
