import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Policy } from '../../../src/base/protection-level.ts';
import type { FileView } from '../../../src/engine/files/file-view.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { settle, World, type User } from '../support/world.ts';

const content = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 13) & 0xff);
const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3);

let world: World;
let files: { alice: MemoryFiles; bob: MemoryFiles };
let alice: User;
let bob: User;

beforeEach(async () => {
  world = new World();
  files = { alice: new MemoryFiles(), bob: new MemoryFiles() };
  files.alice.own.set('dot.png', content);
  alice = await world.user('alice', { storage: files.alice });
  bob = await world.user('bob', { storage: files.bob });
});
afterEach(() => Promise.all([alice.account.stop(), bob.account.stop()]));

/** A network that says that it protects sessions to its edge. */
function edgeApplies(): void {
  world.sip.changeOffer = (sdp) => sdp.replace('a=3ge2ae:requested', 'a=3ge2ae:applied');
  world.sip.changeAnswer = (sdp) => (sdp.includes('fingerprint') ? `${sdp}a=3ge2ae:applied\r\n` : sdp);
}

function fileThat({ account }: User, fits: (view: FileView) => boolean): Promise<FileView> {
  return new Promise((resolve) => {
    const known = account.files.views().find(fits);
    if (known !== undefined) {
      resolve(known);
      return;
    }
    const stop = account.events.on('file', (view) => {
      if (!fits(view)) return;
      stop();
      resolve(view);
    });
  });
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await settle();
}

const inState =
  (...states: string[]) =>
  (view: FileView) =>
    states.includes(view.state);

async function offer(more: { policy?: Policy; icon?: Uint8Array } = {}): Promise<FileView> {
  const outcome = await alice.account.sendFile({ to: 'sip:bob@lab.test', path: 'dot.png', ...more });
  expect(outcome).toMatchObject({ outcome: 'offered' });
  return fileThat(bob, inState('offered'));
}

describe('a preview', () => {
  it('comes with the offer', async () => {
    expect((await offer({ icon: png })).icon).toEqual({ contentType: 'image/png', bytes: png });
    expect(world.sip.invites.map(({ offer: sdp }) => /a=file-icon:cid:/.test(sdp))).toEqual([true]);
  });

  it.each([
    ['a text that calls itself one', new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg"/>')],
    ['too large', Uint8Array.from({ length: 32 * 1024 + 1 }, (_, index) => png[index] ?? 0)],
    ['empty', new Uint8Array()],
  ])('that is %s does not', async (_, icon) => {
    expect((await offer({ icon })).icon).toBeUndefined();
    expect(world.sip.invites.map(({ offer: sdp }) => sdp.includes('file-icon'))).toEqual([false]);
  });

  it('is left out for a peer that takes no multipart body, and nothing else changes', async () => {
    bob.userAgent.takesMultipart = false;
    const offered = await offer({ icon: png, policy: 'prefer-e2e' });
    expect(offered.icon).toBeUndefined();
    expect(offered.level).toBe('e2e');
    expect(world.sip.invites.map(({ offer: sdp }) => sdp.includes('file-icon'))).toEqual([true, false]);
    bob.account.files.accept(offered.id);
    expect(await fileThat(alice, inState('done', 'failed'))).toMatchObject({ state: 'done', level: 'e2e' });
  });
});

describe('a disk that is full', () => {
  it('is said at once, and the file comes once there is room', async () => {
    files.bob.room = 0;
    const { id } = await offer();
    bob.account.files.accept(id);
    const stuck = await fileThat(bob, inState('interrupted', 'failed', 'done'));
    expect(stuck).toMatchObject({ state: 'interrupted', problem: { code: 'storage-failed' } });
    expect(stuck.problem?.explanation).toContain('The disk of this machine has no room for the file.');
    files.bob.room = Infinity;
    expect(bob.account.files.resume(id)).toBe(true);
    expect(await fileThat(bob, inState('done', 'failed'))).toMatchObject({ state: 'done', level: 'e2e' });
    expect(files.bob.received.get('dot.png')).toEqual(content);
  });

  it('in the middle stops the file, which goes on only when the user says so', async () => {
    files.bob.room = 150_000;
    const { id } = await offer();
    bob.account.files.accept(id);
    const stuck = await fileThat(bob, inState('interrupted', 'failed', 'done'));
    expect(stuck).toMatchObject({ state: 'interrupted', problem: { code: 'storage-failed' } });
    const invites = world.sip.invites.length;
    world.clock.advance(10 * 60_000);
    await bob.account.files.registered();
    expect(world.sip.invites.length).toBe(invites);
    files.bob.room = Infinity;
    bob.account.files.resume(id);
    expect(await fileThat(bob, inState('done', 'failed'))).toMatchObject({ state: 'done' });
    expect(files.bob.received.get('dot.png')).toEqual(content);
  });
});

it('the rest of a file is fetched under no less than its offer, whatever the policy allows', async () => {
  bob.account.setContactPolicy('sip:alice@lab.test', 'any');
  files.bob.room = 150_000;
  const { id } = await offer({ policy: 'require-e2e' });
  bob.account.files.accept(id);
  await fileThat(bob, inState('interrupted'));
  files.bob.room = Infinity;
  bob.account.files.resume(id);
  expect(await fileThat(bob, inState('done', 'failed'))).toMatchObject({ state: 'done', level: 'e2e' });
});

it('what came under less than the policy demands now is not gone on with', async () => {
  edgeApplies();
  files.bob.room = 150_000;
  const { id } = await offer({ policy: 'require-e2ae' });
  bob.account.files.accept(id);
  await fileThat(bob, inState('interrupted'));
  files.bob.room = Infinity;
  bob.account.setContactPolicy('sip:alice@lab.test', 'require-e2e');
  bob.account.files.resume(id);
  const stuck = await fileThat(bob, ({ problem }) => problem?.code === 'policy-not-met');
  expect(stuck).toMatchObject({ state: 'interrupted', level: 'e2ae' });
});

it('a file larger than the far end takes in one message is not sent', async () => {
  world.sip.changeAnswer = (sdp) => `${sdp}a=max-size:299999\r\n`;
  const { id } = await offer();
  bob.account.files.accept(id);
  const stopped = await fileThat(alice, inState('failed', 'done'));
  expect(stopped).toMatchObject({ state: 'failed', problem: { code: 'too-large' } });
  expect(stopped.problem?.explanation).toContain('at most 299999 octets');
});

it('a file that is on its way is not begun a second time', async () => {
  const first = await offer();
  await alice.account.sendFile({ to: 'sip:bob@lab.test', path: 'dot.png' });
  const second = await fileThat(alice, inState('declined'));
  expect(second.problem?.explanation).toContain('this file is on its way already');
  expect(bob.account.files.views().map(({ id }) => id)).toEqual([first.id]);
});

it('consent lets a file that asked for it go to the edge, and nothing else does', async () => {
  edgeApplies();
  const carol = await world.user('carol', { storage: new MemoryFiles(), noKms: true });
  const outcome = await alice.account.sendFile({ to: 'sip:carol@lab.test', path: 'dot.png' });
  expect(outcome.outcome).toBe('offered');
  const asked = await fileThat(alice, inState('paused', 'failed'));
  expect(asked).toMatchObject({ state: 'paused', problem: { code: 'consent-required', offered: 'e2ae' } });
  expect(carol.account.files.views()).toEqual([]);
  expect(alice.account.files.resume(asked.id, true)).toBe(true);
  expect(await fileThat(carol, inState('offered'))).toMatchObject({ level: 'e2ae' });
  await carol.account.stop();
});

it('a receiver that comes back before its old connection ended gets the rest, and the old one says nothing more', async () => {
  files.bob.hangsAt = 100_000;
  const { id } = await offer();
  bob.account.files.accept(id);
  await until(() => [...files.bob.parts.values()].some(({ length }) => length >= 100_000));
  files.bob.hangsAt = Infinity;
  const states: string[] = [];
  alice.account.events.on('file', ({ state }) => states.push(state));
  const again = await world.user('bob', { storage: files.bob });
  const taken = await fileThat(again, inState('done', 'failed'));
  await fileThat(alice, inState('done', 'failed'));
  world.clock.advance(60_000);
  await settle();
  expect(taken).toMatchObject({ id, state: 'done', level: 'e2e' });
  expect(files.bob.received.get('dot.png')).toEqual(content);
  expect(new Set(states)).toEqual(new Set(['transferring', 'done']));
  await again.account.stop();
});

describe('the descriptions', () => {
  const answers: string[] = [];
  beforeEach(() => {
    answers.length = 0;
    world.sip.changeAnswer = (sdp) => {
      answers.push(sdp);
      return sdp;
    };
  });
  const attribute = (sdp: string | undefined, name: string): string | undefined =>
    new RegExp(`^a=${name}:(.*)$`, 'm').exec(sdp ?? '')?.[1]?.trim();
  const has = (sdp: string | undefined, name: string): boolean => new RegExp(`^a=${name}\\b`, 'm').test(sdp ?? '');

  it('of an offer name one file by name, size, type and hashes, and say who sends', async () => {
    await offer({ icon: png });
    const [{ offer: sdp } = { offer: '' }] = world.sip.invites;
    expect(sdp.match(/^m=message /gm)).toHaveLength(1);
    expect(attribute(sdp, 'file-selector')).toMatch(/^name:"dot\.png" type:image\/png size:300000 hash:sha-256:/);
    expect(attribute(sdp, 'file-transfer-id')).toMatch(/^[0-9a-f]{32}$/);
    expect(attribute(sdp, 'file-disposition')).toBe('attachment');
    expect(attribute(sdp, 'file-date')).toMatch(/^modification:"[A-Z][a-z]{2}, \d\d .* \+0000"$/);
    expect([has(sdp, 'sendonly'), has(sdp, 'path'), has(sdp, 'accept-types'), has(sdp, 'file-range')]).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  it('of its answer copy selector and transfer id, and leave out what an answer must not have', async () => {
    const { id } = await offer({ icon: png });
    bob.account.files.accept(id);
    await fileThat(bob, inState('done', 'failed'));
    const [{ offer: sdp } = { offer: '' }] = world.sip.invites;
    const [answer] = answers;
    for (const name of ['file-selector', 'file-transfer-id']) {
      expect(attribute(answer, name)).toBe(attribute(sdp, name));
    }
    expect(has(answer, 'recvonly')).toBe(true);
    expect(['file-icon', 'file-disposition', 'file-date'].filter((name) => has(answer, name))).toEqual([]);
  });

  it('of a fetch ask for the rest under a new transfer id, and its answer has the same range', async () => {
    files.bob.room = 150_000;
    const { id } = await offer();
    bob.account.files.accept(id);
    const { transferred } = await fileThat(bob, inState('interrupted'));
    expect(transferred).toBeLessThanOrEqual(150_000);
    files.bob.room = Infinity;
    bob.account.files.resume(id);
    await fileThat(bob, inState('done', 'failed'));
    const [push, pull] = world.sip.invites.map(({ offer: sdp }) => sdp);
    expect(has(pull, 'recvonly')).toBe(true);
    expect(attribute(pull, 'file-selector')).toBe(attribute(push, 'file-selector'));
    expect(attribute(pull, 'file-transfer-id')).not.toBe(attribute(push, 'file-transfer-id'));
    expect(attribute(pull, 'file-range')).toMatch(/^\d+-300000$/);
    const answer = answers.at(-1);
    expect(has(answer, 'sendonly')).toBe(true);
    for (const name of ['file-range', 'file-transfer-id']) expect(attribute(answer, name)).toBe(attribute(pull, name));
  });

  it('of a file that was not offered are refused', async () => {
    files.bob.room = 150_000;
    const { id } = await offer();
    bob.account.files.accept(id);
    await fileThat(bob, inState('interrupted'));
    const [own] = alice.account.files.views();
    expect(alice.account.files.cancel(own!.id)).toBe(true);
    files.bob.room = Infinity;
    bob.account.files.resume(id);
    const stuck = await fileThat(bob, ({ problem }) => problem?.code === 'peer-incompatible');
    expect(stuck.problem?.explanation).toContain('This file was not offered, or is no longer');
    expect(stuck.state).toBe('interrupted');
  });
});
