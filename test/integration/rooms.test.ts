import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { UeRpc } from '../../src/cli/ue-rpc.ts';
import type { RoomMessage, RoomView } from '../../src/engine/rooms/room-view.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { startParty, until, type Party } from './support/parties.ts';

const room = 'sip:rain@lab.test';
const patience = 30_000;
let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ record: false, rooms: ['rain', 'sun'] });
});
afterAll(() => lab.stop());

interface Guest extends Party {
  readonly heard: RoomMessage[];
}

let alice: Guest;
let bob: Guest;
let carol: Guest;

async function guest(name: string): Promise<Guest> {
  const party = await startParty(lab, name, { policy: 'any' });
  const heard: RoomMessage[] = [];
  party.account.events.on('roomMessage', (message) => heard.push(message));
  return { ...party, heard };
}

beforeEach(async () => {
  [alice, bob, carol] = await Promise.all([guest('alice'), guest('bob'), guest('carol')]);
});
afterEach(() => Promise.all([alice, bob, carol].map((party) => party.stop())));

async function join({ account }: Guest, nickname?: string, at = room): Promise<RoomView> {
  const outcome = await account.rooms.join({ room: at, ...(nickname === undefined ? {} : { nickname }) });
  if (outcome.outcome !== 'joined') throw new Error(JSON.stringify(outcome));
  return outcome.room;
}

const view = ({ account }: Guest, { id }: RoomView): RoomView | undefined =>
  account.rooms.views().find((each) => each.id === id);

function sees(who: Guest, at: RoomView, ...names: string[]): Promise<void> {
  const roster = (): string[] => (view(who, at)?.roster ?? []).map(({ entity, nickname }) => nickname ?? entity).sort();
  return until(() => roster().join() === [...names].sort().join(), `the roster is ${names.join()}`, patience);
}

describe('a chat room (RFC 7701)', { timeout: 60_000 }, () => {
  test('three users, nicknames, messages to all and to one, the roster, and who leaves', async () => {
    const [hers, his, theirs] = [await join(alice, 'Al'), await join(bob, 'Bobby'), await join(carol)];
    expect(hers).toMatchObject({
      room,
      state: 'open',
      nickname: 'Al',
      allows: { nicknames: true, privateMessages: true },
    });
    await sees(alice, hers, 'Al', 'Bobby', 'sip:carol@lab.test');
    await sees(carol, theirs, 'Al', 'Bobby', 'sip:carol@lab.test');

    const said = await alice.account.rooms.send(hers.id, 'hello all');
    expect(said).toMatchObject({
      outcome: 'sent',
      message: { direction: 'out', text: 'hello all', level: hers.level },
    });
    for (const hearer of [bob, carol]) {
      await until(() => hearer.heard.length === 1, 'it is heard', patience);
      expect(hearer.heard[0]).toMatchObject({ direction: 'in', from: alice.uri, name: 'Al', text: 'hello all', room });
      expect(hearer.heard[0]).not.toHaveProperty('privateTo');
    }

    const whispered = await bob.account.rooms.send(his.id, 'for you alone', carol.uri);
    expect(whispered).toMatchObject({ outcome: 'sent', message: { privateTo: carol.uri } });
    await until(() => carol.heard.length === 2, 'carol hears it', patience);
    expect(carol.heard[1]).toMatchObject({ from: bob.uri, name: 'Bobby', text: 'for you alone', privateTo: carol.uri });
    // What is said to all after it comes to alice first if anything of the other did not.
    await bob.account.rooms.send(his.id, 'for all');
    await until(() => alice.heard.length > 0, 'alice hears', patience);
    expect(alice.heard.map(({ text }) => text)).toEqual(['for all']);

    expect(await bob.account.rooms.leave(his.id)).toBe(true);
    await sees(alice, hers, 'Al', 'sip:carol@lab.test');
    expect(bob.account.rooms.views()).toEqual([]);
  });

  test('nicknames: taken, malformed, changed, given up', async () => {
    const hers = await join(alice, 'Al');
    const his = await join(bob);
    const { rooms } = bob.account;
    expect(await rooms.nickname(his.id, 'AL')).toEqual({ outcome: 'refused', why: 'taken', status: 425 });
    expect(await rooms.nickname(his.id, 'two\nlines')).toEqual({ outcome: 'refused', why: 'malformed' });
    expect(view(bob, his)).not.toHaveProperty('nickname');
    expect(await rooms.nickname(his.id, '  Bob   the second ')).toEqual({
      outcome: 'granted',
      nickname: 'Bob the second',
    });
    await sees(alice, hers, 'Al', 'Bob the second');
    expect(await alice.account.rooms.nickname(hers.id, '')).toEqual({ outcome: 'granted', nickname: '' });
    await sees(bob, his, 'Bob the second', 'sip:alice@lab.test');
    expect(await rooms.nickname(his.id, 'Al')).toMatchObject({ outcome: 'granted' });
    expect(await rooms.nickname('none', 'Al')).toEqual({ outcome: 'refused', why: 'no-such-room' });
  });

  test('a private message to somebody who is not there', async () => {
    const hers = await join(alice);
    expect(await alice.account.rooms.send(hers.id, 'hello', bob.uri)).toMatchObject({
      outcome: 'refused',
      refusal: { code: 'peer-unreachable' },
    });
  });

  test('two rooms are two sessions', async () => {
    const [rain, sun] = [await join(alice), await join(alice, 'Sunny', 'sip:sun@lab.test')];
    const his = await join(bob);
    await alice.account.rooms.send(sun.id, 'only here');
    await alice.account.rooms.send(rain.id, 'and here');
    await until(() => bob.heard.length > 0, 'bob hears', patience);
    expect(bob.heard).toMatchObject([{ text: 'and here', roomId: his.id }]);
    expect(alice.account.rooms.views()).toHaveLength(2);
  });

  test('nothing in a room is end to end, and nobody is told that it is', async () => {
    const { rooms } = alice.account;
    expect(await rooms.join({ room, policy: 'require-e2e' })).toMatchObject({
      outcome: 'refused',
      refusal: { code: 'policy-not-met', required: 'require-e2e' },
    });
    const asked = await rooms.join({ room, policy: 'prefer-e2e' });
    expect(asked).toMatchObject({ outcome: 'refused', refusal: { code: 'consent-required' } });
    expect((await join(alice)).level).not.toBe('e2e');
  });

  test('somebody who is no room is not taken for one, and nothing stays open', async () => {
    const outcome = await alice.account.rooms.join({ room: bob.uri });
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'peer-incompatible' } });
    await until(() => bob.account.status().sessions.length === 0, 'the session ends', patience);
    expect(alice.account.rooms.views()).toEqual([]);
  });

  test('the scriptable UE joins, takes a nickname, speaks and leaves', async () => {
    const lines: {
      readonly id?: number;
      readonly method?: string;
      readonly params?: unknown;
      readonly result?: unknown;
      readonly error?: unknown;
    }[] = [];
    const rpc = new UeRpc({
      account: alice.account,
      log: silentLogger,
      write: (line) => lines.push(JSON.parse(line) as (typeof lines)[number]),
      onShutdown: () => undefined,
    });
    const call = async (method: string, params: object): Promise<(typeof lines)[number]> => {
      rpc.handleLine({ text: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) });
      await rpc.settled();
      return lines.findLast((line) => 'id' in line)!;
    };
    const his = await join(bob, 'Bobby');
    const joined = await call('room.join', { room, nickname: 'BOBBY' });
    expect(joined.result).toMatchObject({ outcome: 'joined', nickname: { outcome: 'refused', why: 'taken' } });
    const { id } = (joined.result as { readonly room: RoomView }).room;
    expect(await call('room.nickname', { id, nickname: 'Al' })).toMatchObject({ result: { outcome: 'granted' } });
    expect(await call('room.send', { id, text: 'by hand' })).toMatchObject({ result: { outcome: 'sent' } });
    await until(() => bob.heard.length === 1, 'bob hears', patience);
    await bob.account.rooms.send(his.id, 'back', alice.uri);
    const heard = (): unknown[] => lines.filter(({ method }) => method === 'room.message').map(({ params }) => params);
    await until(() => heard().length > 0, 'the notification', patience);
    expect(heard()).toMatchObject([{ roomId: id, text: 'back', privateTo: alice.uri }]);
    expect(await call('room.leave', { id })).toMatchObject({ result: {} });
    expect(lines.filter(({ method }) => method === 'room').at(-1)).toMatchObject({ params: { id, state: 'closed' } });
    expect(await call('room.leave', { id })).toMatchObject({ error: { data: { code: 'no-such-room' } } });
    expect(await call('room.join', { room: 1 })).toMatchObject({ error: { data: { code: 'invalid-params' } } });
    rpc.close();
  });

  test('with the account its rooms are left', async () => {
    const hers = await join(alice);
    const changes: RoomView[] = [];
    alice.account.events.on('room', (changed) => changes.push(changed));
    await alice.account.stop();
    expect(changes.at(-1)).toMatchObject({ id: hers.id, state: 'closed' });
  });
});
