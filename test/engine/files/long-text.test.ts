import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import type { FileView } from '../../../src/engine/files/file-view.ts';
import { textSource } from '../../../src/engine/files/text-source.ts';
import { limits } from '../../../src/engine/limits.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { World, type User } from '../support/world.ts';

const bobAddress = 'sip:bob@lab.test';
let world: World;
let files: MemoryFiles;
let alice: User;
let bob: User;

beforeEach(async () => {
  world = new World();
  files = new MemoryFiles();
  // The sender keeps no files at all: its text never touches a disk.
  alice = await world.user('alice');
  bob = await world.user('bob', { storage: files });
});
afterEach(() => Promise.all([alice.account.stop(), bob.account.stop()]));

function fileThat({ account }: User, ...states: string[]): Promise<FileView> {
  return new Promise((resolve) => {
    const known = account.files.views().find(({ state }) => states.includes(state));
    if (known !== undefined) {
      resolve(known);
      return;
    }
    const stop = account.events.on('file', (view) => {
      if (!states.includes(view.state)) return;
      stop();
      resolve(view);
    });
  });
}

const send = (text: string, way: 'message' | 'msrp' = 'msrp') =>
  alice.account.sendMessage({ to: bobAddress, text, way, policy: 'require-e2e' });
const longest = limits.sessionTextOctets - limits.sessionEnvelopeOctets;

describe('a text that is too long for a message', () => {
  it('is offered as a file, end to end as the messages, and arrives whole', async () => {
    const text = 'ä'.repeat(longest);
    const outcome = await send(text);
    expect(outcome).toMatchObject({
      outcome: 'offered',
      file: { direction: 'out', name: 'message-20260401T120000Z.txt', type: 'text/plain', size: 2 * longest },
    });
    const offered = await fileThat(bob, 'offered');
    expect(bob.received).toEqual([]);
    bob.account.files.accept(offered.id);
    expect(await fileThat(alice, 'done', 'failed')).toMatchObject({ state: 'done', level: 'e2e' });
    const came = await fileThat(bob, 'done', 'failed');
    expect(came).toMatchObject({ state: 'done', level: 'e2e', hashChecked: true });
    expect(files.received.get('message-20260401T120000Z.txt')).toEqual(utf8(text));
  });

  it('begins where a message ends, to the octet', async () => {
    expect(await send('x'.repeat(longest))).toMatchObject({ outcome: 'sent' });
    expect(bob.received.map(({ text }) => text.length)).toEqual([longest]);
    expect(await send('x'.repeat(longest + 1))).toMatchObject({ outcome: 'offered' });
  });

  it('is offered whichever way was asked for', async () => {
    expect(await send('x'.repeat(longest + 1), 'message')).toMatchObject({ outcome: 'offered' });
  });

  it('is refused beyond 16 MiB, and while too many wait', async () => {
    const tooLarge = { outcome: 'refused', refusal: { code: 'too-large' } };
    expect(await send('x'.repeat(limits.longTextOctets + 1))).toMatchObject(tooLarge);
    const text = 'x'.repeat(longest + 1);
    for (let count = 0; count < limits.longTexts; count++)
      expect(await send(text)).toMatchObject({ outcome: 'offered' });
    expect(await send(text)).toMatchObject(tooLarge);
    const [first] = alice.account.files.views();
    expect(alice.account.files.cancel(first!.id)).toBe(true);
    expect(await send(text)).toMatchObject({ outcome: 'offered' });
  });

  it('is read from any place, as a file is', async () => {
    const text = utf8('0123456789'.repeat(20_000));
    const source = textSource(text, 0);
    for (const start of [0, 1, 65_536, 199_999, 200_000]) {
      const pieces: Uint8Array[] = [];
      for await (const piece of source.read(start)) pieces.push(piece);
      expect(concatBytes(...pieces)).toEqual(text.subarray(start));
    }
    expect((await source.hashes()).map(({ algorithm }) => algorithm)).toEqual(['sha-1', 'sha-256']);
  });
});
