import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromUtf8 } from '../../src/base/bytes.ts';
import { type Lab, startLab } from '../../src/lab/lab.ts';
import { type MsrpMedia, type MsrpMediaOptions, parseSdp, readMsrpMedia } from '../../src/protocol/sdp/index.ts';
import type { SipMessage } from '../../src/protocol/sip/message.ts';
import { MediaEnd, readOctets } from './support/media-end.ts';
import { ScriptedUe } from './support/scripted-ue.ts';

const mediasec = ['tls', 'msrp-tls;mediasec'];

let lab: Lab;
let open: { close(): void }[];

beforeEach(async () => {
  open = [];
  lab = await startLab({ times: { silentBranch: 400 } });
});

afterEach(async () => {
  for (const one of open) one.close();
  await lab.stop();
});

async function ue(name: string, securityClient: readonly string[] = mediasec): Promise<ScriptedUe> {
  const connected = await ScriptedUe.connect(lab, name);
  open.push(connected);
  expect((await connected.register({ securityClient })).status).toBe(200);
  return connected;
}

async function mediaEnd(name: string): Promise<MediaEnd> {
  const end = await MediaEnd.create(name);
  open.push(end);
  return end;
}

function msrpOf(message: SipMessage): MsrpMedia {
  const description = parseSdp(message.body);
  return readMsrpMedia(description.media[0]!, description);
}

interface Session {
  readonly alice: ScriptedUe;
  readonly bob: ScriptedUe;
  readonly mediaA: MediaEnd;
  readonly mediaB: MediaEnd;
  readonly invite: SipMessage;
  readonly ok: SipMessage;
  /** As bob saw the offer and alice the answer. */
  readonly offer: MsrpMedia;
  readonly answer: MsrpMedia;
}

async function establish(
  offered: (end: MediaEnd) => Partial<MsrpMediaOptions>,
  answered: (end: MediaEnd) => Partial<MsrpMediaOptions>,
  bobMechanisms: readonly string[] = mediasec,
): Promise<Session> {
  const [alice, bob] = [await ue('alice'), await ue('bob', bobMechanisms)];
  const [mediaA, mediaB] = [await mediaEnd('a'), await mediaEnd('b')];
  const request = alice.request('INVITE', bob.identity, mediaA.sdp(offered(mediaA)));
  alice.send(request);
  const invite = await bob.incoming('INVITE');
  bob.reply(invite, 180);
  bob.reply(invite, 200, mediaB.sdp(answered(mediaB)));
  const ok = await alice.response(request);
  alice.send(alice.inSession('ACK', request, ok, 'caller'));
  await bob.incoming('ACK');
  return { alice, bob, mediaA, mediaB, invite, ok, offer: msrpOf(invite), answer: msrpOf(ok) };
}

async function endSession({ alice, bob, invite, ok }: Session): Promise<void> {
  const ended = alice.ask(alice.inSession('BYE', invite, ok, 'caller'));
  bob.reply(await bob.incoming('BYE'), 200);
  expect((await ended).status).toBe(200);
  await expect.poll(() => lab.load()).toMatchObject({ dialogs: 0, mediaStreams: 0 });
}

async function exchange(a: Duplex, b: Duplex, text: string): Promise<void> {
  a.write(text);
  expect((await readOctets(b, text.length)).toString()).toBe(text);
  b.write(`${text}, too`);
  expect((await readOctets(a, text.length + 5)).toString()).toBe(`${text}, too`);
}

const requested = (end: MediaEnd): Partial<MsrpMediaOptions> => ({
  fingerprints: [end.fingerprint],
  e2ae: 'requested',
});
const withFingerprint =
  (setup: 'active' | 'passive') =>
  (end: MediaEnd): Partial<MsrpMediaOptions> => ({ fingerprints: [end.fingerprint], setup });

describe('media protected to the access edge', () => {
  test('TLS ends at the gateway on each leg; the text is found inside the edge only', async () => {
    const session = await establish(requested, withFingerprint('active'));
    const { offer, answer, mediaA, mediaB } = session;
    for (const side of [offer, answer]) {
      expect(side).toMatchObject({ protocol: 'TCP/TLS/MSRP', e2ae: 'applied', cema: true, address: '127.0.0.1' });
    }
    expect([offer.setup, answer.setup]).toEqual(['actpass', 'passive']);
    expect([offer.path, answer.path]).toEqual([[mediaA.path], [mediaB.path]]);
    expect(offer.fingerprints[0]?.value).not.toBe(mediaA.fingerprint.value);
    const a = mediaA.connect(answer.port, { expect: answer.fingerprints[0]!.value });
    const b = mediaB.connect(offer.port, { expect: offer.fingerprints[0]!.value });
    lab.recorder.clear();
    await exchange(await a, await b, 'a secret for the edge');
    const found = lab.recorder.find('a secret for the edge');
    expect(found.accessLeg.count).toBe(0);
    expect(found.accessLeg.octets).toBeGreaterThan(40);
    expect(found.insideEdge.count).toBe(2);
    expect(found.insideEdge.where[0]).toContain('alice to bob');
    await endSession(session);
  });

  test('a callee that waits is connected to', async () => {
    const { offer, answer, mediaA, mediaB } = await establish(requested, withFingerprint('passive'));
    const b = mediaB.accept({ expect: offer.fingerprints[0]!.value });
    const a = await mediaA.connect(answer.port, { expect: answer.fingerprints[0]!.value });
    await exchange(a, await b, 'hello');
  });

  test('a callee without the capability gets plain MSRP, and the caller stays protected', async () => {
    const plain = (): Partial<MsrpMediaOptions> => ({ protocol: 'TCP/MSRP', setup: 'passive' });
    const { offer, answer, mediaA, mediaB } = await establish(requested, plain, []);
    expect(offer).toMatchObject({ protocol: 'TCP/MSRP', e2ae: undefined, fingerprints: [] });
    expect(answer).toMatchObject({ protocol: 'TCP/TLS/MSRP', e2ae: 'applied' });
    const a = await mediaA.connect(answer.port, { expect: answer.fingerprints[0]!.value });
    await exchange(a, await mediaB.accept(), 'half protected');
    expect(lab.recorder.find('half protected').accessLeg.where).toEqual(['bob MSRP to UE', 'bob MSRP from UE']);
  });

  test('a plain offer reaches a capable callee protected', async () => {
    const plain = (): Partial<MsrpMediaOptions> => ({ protocol: 'TCP/MSRP' });
    const { offer, answer, mediaA, mediaB } = await establish(plain, withFingerprint('active'));
    expect(offer).toMatchObject({ protocol: 'TCP/TLS/MSRP', e2ae: 'applied' });
    expect(answer).toMatchObject({ protocol: 'TCP/MSRP', e2ae: undefined, setup: 'passive' });
    const b = mediaB.connect(offer.port, { expect: offer.fingerprints[0]!.value });
    await exchange(await mediaA.connect(answer.port), await b, 'hello');
  });

  test('a UE with another certificate than it announced is cut off', async () => {
    const { mediaA, answer } = await establish(
      () => ({ fingerprints: [{ hash: 'sha-256', value: 'AA:'.repeat(31) + 'AA' }], e2ae: 'requested' }),
      withFingerprint('active'),
    );
    const stream = await mediaA.connect(answer.port, { expect: answer.fingerprints[0]!.value }).catch(() => undefined);
    if (stream !== undefined) {
      stream.resume();
      await new Promise((resolve) => stream.once('close', resolve));
    }
    await expect.poll(() => lab.load().mediaStreams).toBe(0);
  });

  test('an answer without fingerprint, and an offer without one, get no stream', async () => {
    const { answer } = await establish(requested, () => ({ setup: 'active' }));
    expect(answer.port).toBe(0);
    expect(lab.load().mediaStreams).toBe(0);
    const carol = await ue('carol');
    const offer = (await mediaEnd('c')).sdp({ e2ae: 'requested' });
    const refused = await carol.ask(carol.request('INVITE', 'sip:bob@lab.test', offer));
    expect(refused.status).toBe(488);
    expect(refused.headers.get('Warning')).toContain('fingerprint');
  });

  test('back-pressure: a large stream arrives whole through two TLS legs', async () => {
    const { offer, answer, mediaA, mediaB } = await establish(requested, withFingerprint('active'));
    const [a, b] = await Promise.all([
      mediaA.connect(answer.port, { expect: answer.fingerprints[0]!.value }),
      mediaB.connect(offer.port, { expect: offer.fingerprints[0]!.value }),
    ]);
    const sent = Buffer.alloc(8 * 1024 * 1024, 'tessera ');
    a.end(sent);
    expect((await readOctets(b, sent.length)).equals(sent)).toBe(true);
    await expect.poll(() => lab.load().mediaStreams, { timeout: 5000 }).toBe(0);
  });

  test('faults: no indication, and a fingerprint that the gateway does not present', async () => {
    lab.faults.omitIndication = true;
    lab.faults.wrongFingerprint = true;
    const { offer, answer, mediaA } = await establish(requested, withFingerprint('active'));
    expect([offer.e2ae, answer.e2ae]).toEqual([undefined, undefined]);
    const connecting = mediaA.connect(answer.port, { expect: answer.fingerprints[0]!.value });
    await expect(connecting).rejects.toThrow('wrong certificate');
  });
});

describe('media protected end to end', () => {
  const keyMgmt = Uint8Array.from({ length: 40 }, (_, index) => index);

  test.each(['active', 'passive'] as const)('TLS bytes pass untouched (callee %s)', async (setup) => {
    const session = await establish(
      (end) => ({ keyMgmt, fingerprints: [end.fingerprint] }),
      (end) => ({ keyMgmt, setup, fingerprints: [end.fingerprint], e2ae: 'applied' }),
    );
    const { offer, answer, mediaA, mediaB } = session;
    expect(offer).toMatchObject({ keyMgmt, setup: 'actpass', fingerprints: [mediaA.fingerprint], path: [mediaA.path] });
    // What the callee claims about the edge does not reach the caller.
    expect(answer).toMatchObject({ keyMgmt, setup, fingerprints: [mediaB.fingerprint], e2ae: undefined });
    expect([offer.port, answer.port]).not.toContain(mediaA.port);
    const expectA = { expect: mediaA.fingerprint.value };
    const expectB = { expect: mediaB.fingerprint.value };
    const [a, b] = await Promise.all(
      setup === 'active'
        ? [mediaA.accept(expectB), mediaB.connect(offer.port, expectA)]
        : [mediaA.connect(answer.port, expectB), mediaB.accept(expectA)],
    );
    await exchange(a, b, 'nobody else reads this');
    const { accessLeg, insideEdge } = lab.recorder.find('nobody else reads this');
    expect([accessLeg.count, insideEdge.count]).toEqual([0, 0]);
    expect(insideEdge.octets).toBeGreaterThan(1000);
    await endSession(session);
  });

  test('TLS that did not ask for the edge is not ended by it', async () => {
    const { offer, mediaA } = await establish(
      (end) => ({ fingerprints: [end.fingerprint] }),
      withFingerprint('active'),
    );
    expect(offer.fingerprints).toEqual([mediaA.fingerprint]);
    expect(offer.e2ae).toBeUndefined();
  });
});

describe('sessions', () => {
  async function calling(count = 1): Promise<{ alice: ScriptedUe; bobs: ScriptedUe[]; request: SipMessage }> {
    const alice = await ue('alice');
    const bobs: ScriptedUe[] = [];
    while (bobs.length < count) bobs.push(await ue('bob'));
    const media = await mediaEnd('a');
    const request = alice.request('INVITE', 'sip:bob@lab.test', media.sdp(requested(media)));
    alice.send(request);
    return { alice, bobs, request };
  }

  test('all contacts ring; the first answer wins and the others are cancelled', async () => {
    const { alice, bobs, request } = await calling(2);
    const [one, two] = bobs as [ScriptedUe, ScriptedUe];
    const [first, second] = [await one.incoming('INVITE'), await two.incoming('INVITE')];
    one.reply(first, 180);
    two.reply(second, 180);
    const media = await mediaEnd('b');
    await alice.expect(({ status }) => status === 180);
    two.reply(second, 200, media.sdp(withFingerprint('active')(media)));
    expect((await alice.response(request)).headers.get('Contact')).toContain(two.contact);
    const cancel = await one.incoming('CANCEL');
    one.reply(cancel, 200);
    one.reply(first, 487);
    await one.incoming('ACK');
    await expect.poll(() => lab.load()).toMatchObject({ dialogs: 1, mediaStreams: 1 });
    two.close();
    await expect.poll(() => lab.load()).toMatchObject({ dialogs: 0, mediaStreams: 0 });
  });

  test('all refuse: the best refusal is the answer', async () => {
    const { alice, bobs, request } = await calling(2);
    const [one, two] = bobs as [ScriptedUe, ScriptedUe];
    one.reply(await one.incoming('INVITE'), 503);
    two.reply(await two.incoming('INVITE'), 486);
    expect((await alice.response(request)).status).toBe(486);
    await two.incoming('ACK');
    await expect.poll(() => lab.load().mediaStreams).toBe(0);
  });

  test('the caller cancels', async () => {
    const { alice, bobs, request } = await calling();
    const bob = bobs[0]!;
    const invite = await bob.incoming('INVITE');
    bob.reply(invite, 180);
    await alice.expect(({ status }) => status === 180);
    const cancel = alice.request('CANCEL', bob.identity);
    for (const name of ['Via', 'From', 'To', 'Call-ID']) cancel.headers.set(name, request.headers.get(name) ?? '');
    cancel.headers.set('CSeq', `${parseInt(request.headers.get('CSeq') ?? '')} CANCEL`);
    expect((await alice.ask(cancel)).status).toBe(200);
    bob.reply(await bob.incoming('CANCEL'), 200);
    bob.reply(invite, 487);
    expect((await alice.response(request)).status).toBe(487);
    expect(lab.load()).toMatchObject({ dialogs: 0, mediaStreams: 0 });
  });

  test('a silent callee gives 408, a caller that goes away frees everything', async () => {
    const { alice, request } = await calling();
    expect((await alice.response(request)).status).toBe(408);
    expect(lab.load().mediaStreams).toBe(0);
    const again = alice.request('INVITE', 'sip:bob@lab.test', {
      type: 'application/sdp',
      text: fromUtf8(request.body),
    });
    alice.send(again);
    await alice.expect(
      (message) => message.status === 100 && message.headers.get('Call-ID') === again.headers.get('Call-ID'),
    );
    alice.close();
    await expect.poll(() => lab.load()).toMatchObject({ dialogs: 0, mediaStreams: 0 });
  });

  test.each([
    ['no body', undefined, 488],
    ['broken SDP', 'v=0\r\nm=message\r\n', 400],
    [
      'MSRP that cannot be anchored',
      'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\na=path:msrp://127.0.0.1:9/x;tcp\r\n',
      488,
    ],
  ])('refuses an offer with %s', async (_, text, status) => {
    const alice = await ue('alice');
    await ue('bob');
    const body = text === undefined ? undefined : { type: 'application/sdp', text };
    expect((await alice.ask(alice.request('INVITE', 'sip:bob@lab.test', body))).status).toBe(status);
  });

  test('an answer that cannot be read reaches the caller without its claims', async () => {
    const { alice, bobs, request } = await calling();
    const bob = bobs[0]!;
    bob.reply(await bob.incoming('INVITE'), 200, { type: 'application/sdp', text: 'v=0\r\na=3ge2ae:applied\r\n' });
    const ok = await alice.response(request);
    expect([ok.status, ok.body.length]).toEqual([200, 0]);
  });

  test('requests of a session that is over, or of somebody else, are refused', async () => {
    const session = await establish(requested, withFingerprint('active'));
    const carol = await ue('carol');
    expect((await carol.ask(carol.inSession('BYE', session.invite, session.ok, 'caller'))).status).toBe(481);
    await endSession(session);
    const late = session.bob.inSession('BYE', session.invite, session.ok, 'callee');
    expect((await session.bob.ask(late)).status).toBe(481);
  });
});

describe('stopping', () => {
  test('ends in time in the middle of everything and leaves no handle', async () => {
    const before = process.getActiveResourcesInfo().filter((name) => /TCP|TLS|Timeout/.test(name)).length;
    const own = await startLab();
    const alice = await ScriptedUe.connect(own, 'alice');
    const bob = await ScriptedUe.connect(own, 'bob', 'tcp');
    await alice.register({ securityClient: mediasec });
    await bob.register();
    const media = await mediaEnd('a');
    const request = alice.request('INVITE', bob.identity, media.sdp(requested(media)));
    alice.send(request);
    const answer = (await mediaEnd('b')).sdp({ protocol: 'TCP/MSRP', setup: 'active' });
    const invite = await bob.incoming('INVITE');
    bob.reply(invite, 200, answer);
    const ok = msrpOf(await alice.response(request));
    const stream = await media.connect(ok.port, { expect: ok.fingerprints[0]!.value });
    stream.write(Buffer.alloc(1024 * 1024));
    alice.send(alice.request('MESSAGE', bob.identity, { type: 'text/plain', text: 'x' }));
    await bob.incoming('MESSAGE');
    const started = Date.now();
    await own.stop();
    expect(Date.now() - started).toBeLessThan(1000);
    await expect.poll(() => alice.isClosed && bob.isClosed && stream.destroyed).toBe(true);
    const left = (): number => process.getActiveResourcesInfo().filter((name) => /TCP|TLS|Timeout/.test(name)).length;
    for (const one of open) one.close();
    await expect.poll(left, { timeout: 3000 }).toBeLessThanOrEqual(before + 1);
  });
});
