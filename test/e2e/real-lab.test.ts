import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { newMarker, startParty, type Party } from '../../src/cli/demo/parties.ts';
import { startConsole, type Console } from '../../src/lab/console/index.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { createAccountHost } from '../../src/node/bridge/account-host.ts';
import { PickedFiles } from '../../src/node/bridge/picked-files.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { createEnginePorts } from '../../src/node/create-engine-ports.ts';
import { lackOfChromium, launchBrowser, rendererDir } from './support/browser.ts';
import { Screens } from './support/screens.ts';
import { needing } from '../support/needs/needs.ts';

/** A picture of one dot; what follows its end is passed over by whoever draws it. */
const onePixel = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** The network has it, or the other side already: which of them is seen depends on who is faster. */
const taken = /Sent|Delivered|Displayed/;

/** One user with everything a user has: engine, account at the lab, page in a browser. */
interface Seat {
  readonly party: Party;
  readonly console: Console;
  readonly screens: Screens;
}

describe('the screens of two UEs in the running lab', needing(lackOfChromium), () => {
  let browser: Browser;
  let lab: Lab;
  let alice: Seat;
  let bob: Seat;
  let folder: string;

  async function takeSeat(name: string, overrides: Parameters<Lab['ueConfig']>[1] = {}): Promise<Seat> {
    const receivedFolder = join(folder, name);
    const party = await startParty(
      lab,
      await createEnginePorts({ log: silentLogger, receivedFolder }),
      name,
      overrides,
    );
    const picked = new PickedFiles();
    const host = createAccountHost([party.account], { files: { choose: 'upload', picked } });
    const page = await startConsole({ host, title: name, rendererDir, picked });
    return { party, console: page, screens: await Screens.open(browser, page.url) };
  }

  async function leave({ party, console: page, screens }: Seat): Promise<void> {
    await screens.close();
    await page.stop();
    await party.stop();
  }

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tessera-seats-'));
    lab = await startLab();
    alice = await takeSeat('alice');
    bob = await takeSeat('bob');
    await alice.screens.startConversation('sip:bob@lab.test');
  });
  afterEach(async () => {
    await leave(alice);
    await leave(bob);
    await lab.stop();
    await rm(folder, { recursive: true, force: true });
    expect([...alice.screens.errors, ...bob.screens.errors]).toEqual([]);
  });

  it('carries a message in each of the four ways, there and back, and tells why it is protected', async () => {
    // What is demanded holds for what comes in too, so the stricter demand comes last.
    const cases = [
      ['Message', 'At least to network edge', 'To network edge', 'Security agreement', true],
      ['Session', 'At least to network edge', 'To network edge', 'the certificate announced for it', true],
      ['Message', 'Only end-to-end', 'End-to-end', 'AES-256-GCM', false],
      ['Session', 'Only end-to-end', 'End-to-end', 'PSK_WITH', false],
    ] as const;
    for (const [way, policy, level, proof, isReadableInside] of cases) {
      const there = newMarker();
      lab.recorder.clear();
      await alice.screens.chooseWay(way);
      await alice.screens.choosePolicy(policy);
      await alice.screens.send(there);
      if ((await bob.screens.composer().count()) === 0) await bob.screens.openConversation('alice');
      expect(await bob.screens.waitForMessage(there)).toMatchObject({ level });
      // Bob's page shows the conversation, and his device says so.
      expect(await alice.screens.waitForMessage(there, 'Displayed')).toMatchObject({ level });
      expect(await bob.screens.readProof(there)).toContain(proof);

      const back = newMarker();
      await bob.screens.chooseWay(way);
      await bob.screens.choosePolicy(policy);
      await bob.screens.send(back);
      expect(await alice.screens.waitForMessage(back)).toMatchObject({ level });
      for (const text of [there, back]) {
        const { accessLeg, insideEdge } = lab.recorder.find(text);
        expect([text, accessLeg.count, insideEdge.count > 0]).toEqual([text, 0, isReadableInside]);
      }
    }
  });

  it('refuses on the screen when the edge shows another certificate than was signalled', async () => {
    lab.faults.wrongFingerprint = true;
    const text = newMarker();
    await alice.screens.chooseWay('Session');
    await alice.screens.choosePolicy('At least to network edge');
    await alice.screens.send(text);
    const item = alice.screens.message(text);
    await item.getByText('not the one that was announced').waitFor({ timeout: 30_000 });
    expect(await item.innerText()).toContain('not sent');
    expect(lab.recorder.find(text).insideEdge.count).toBe(0);
  });

  it('has a message wait while the key server is away, and sends it end to end when it is back', async () => {
    lab.faults.kmsAway = true;
    const [first, second] = [newMarker(), newMarker()];
    await alice.screens.choosePolicy('Only end-to-end');
    await alice.screens.send(first);
    await alice.screens.message(first).getByRole('group', { name: 'Waits for the key server' }).waitFor();
    await alice.screens.send(second);
    const cancel = alice.screens.message(second).getByRole('button', { name: 'Take back' });
    const notice = alice.screens.page.getByRole('region', { name: 'The key server does not answer' });
    await notice.waitFor();
    await cancel.click();
    await alice.screens.message(second).waitFor({ state: 'detached' });
    expect(await alice.screens.accessibilityViolations()).toEqual([]);
    lab.faults.kmsAway = false;
    await notice.getByRole('button', { name: 'Try now' }).click();
    expect(await alice.screens.waitForMessage(first, taken)).toMatchObject({ level: 'End-to-end' });
    await notice.waitFor({ state: 'detached' });
    await bob.screens.openConversation('alice');
    expect(await bob.screens.waitForMessage(first)).toMatchObject({ level: 'End-to-end' });
    expect(await bob.screens.message(second).count()).toBe(0);
    expect(lab.recorder.find(first).insideEdge.count).toBe(0);
  });

  it('carries a picture end to end: chosen, previewed, accepted, received whole, its protection proven', async () => {
    const content = Buffer.concat([onePixel, secureRandom.bytes(2_000_000)]);
    await alice.screens.choosePolicy('Only end-to-end');
    await alice.screens.attach({ name: 'dot.png', mimeType: 'image/png', buffer: content });
    const sent = alice.screens.file('dot.png');
    await sent.getByText('Waiting for bob to accept').waitFor({ timeout: 60_000 });
    await bob.screens.openConversation('alice');
    const offered = bob.screens.file('dot.png');
    await offered.getByText('alice wants to send you this file.').waitFor({ timeout: 60_000 });
    await offered.locator('img').waitFor();
    expect(await bob.screens.accessibilityViolations()).toEqual([]);
    await offered.getByRole('button', { name: 'Accept' }).click();
    await offered.getByText('Received whole and checked').waitFor({ timeout: 60_000 });
    await sent.getByText('Delivered to bob').waitFor({ timeout: 60_000 });
    const [file] = bob.party.account.files.views();
    expect((await readFile(file!.path!)).equals(content)).toBe(true);
    for (const { page } of [alice.screens, bob.screens]) {
      await page.getByRole('button', { name: 'End-to-end. Why?' }).click();
      await page.getByRole('dialog').getByText('File of').waitFor();
      await page.getByRole('button', { name: 'Technical detail' }).click();
      expect(await page.getByRole('dialog').innerText()).toContain('PSK_WITH');
      await page.keyboard.press('Escape');
    }
  });

  it('asks before it sends to the edge what should have gone end to end', async () => {
    const carol = await takeSeat('carol', { withoutKms: true });
    try {
      const text = newMarker();
      await alice.screens.startConversation('sip:carol@lab.test');
      await alice.screens.send(text);
      const agree = alice.screens.message(text).getByRole('button', { name: /network edge/ });
      await agree.waitFor({ timeout: 30_000 });
      expect(lab.recorder.find(text).insideEdge.count).toBe(0);
      await agree.click();
      await carol.screens.openConversation('alice');
      expect(await carol.screens.waitForMessage(text)).toMatchObject({ level: 'To network edge' });
    } finally {
      await leave(carol);
    }
  });
});
