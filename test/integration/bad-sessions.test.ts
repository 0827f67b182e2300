import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Policy } from '../../src/base/protection-level.ts';
import { createDeviceCertificate } from '../../src/crypto/certificate.ts';
import type { OpenSessionOutcome } from '../../src/engine/chat-message.ts';
import type { MsrpSecurity } from '../../src/engine/ports.ts';
import type { SipMessage } from '../../src/protocol/sip/message.ts';
import {
  buildMsrpMedia,
  createSessionDescription,
  findMsrpMedia,
  formatSdp,
  parseSdp,
  readMsrpMedia,
  type MsrpMedia,
  type MsrpMediaOptions,
} from '../../src/protocol/sdp/index.ts';
import { HostileStage, secretText, wrongKey } from './support/hostile-stage.ts';
import { until } from './support/parties.ts';

let stage: HostileStage;
let openAtFirst: string[];
const unhandled: unknown[] = [];
const note = (reason: unknown): unknown => unhandled.push(reason);
const goodFingerprint = { hash: 'sha-256', value: Array.from({ length: 32 }, () => 'AB').join(':') };

beforeAll(async () => {
  process.on('unhandledRejection', note);
  stage = await HostileStage.start();
  await stage.allIsWell();
  openAtFirst = openPorts();
});

afterEach(async () => {
  stage.edge.keeps = () => false;
  await until(() => stage.alice.account.status().sessions.length === 0, 'no session stays open');
  await stage.allIsWell();
  expect(unhandled).toEqual([]);
});

afterAll(async () => {
  await until(
    // One that was still closing at first may be gone.
    () => openPorts().length <= openAtFirst.length,
    'every port and connection of a refused session is closed',
    30_000,
  );
  await stage.stop();
  process.off('unhandledRejection', note);
}, 60_000);

/** Listening ports and connections of this process. */
function openPorts(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => name.startsWith('TCP'))
    .sort();
}

function sdp(options: Partial<MsrpMediaOptions> = {}, change: (text: string) => string = (text) => text): string {
  const media = buildMsrpMedia({
    protocol: 'TCP/MSRP',
    port: 9,
    address: '127.0.0.1',
    path: ['msrp://127.0.0.1:9/h0st1le;tcp'],
    setup: 'active',
    acceptTypes: ['text/plain'],
    ...options,
  });
  return change(formatSdp(createSessionDescription({ id: '1', version: '1', address: '127.0.0.1', media: [media] })));
}

function offer(body: string): SipMessage {
  return stage.edge.request('INVITE', { type: 'application/sdp', body });
}

function mediaOf(message: SipMessage): MsrpMedia {
  const description = parseSdp(message.body);
  const section = findMsrpMedia(description);
  if (section === undefined) throw new Error('no MSRP stream');
  return readMsrpMedia(section, description);
}

const tls = { protocol: 'TCP/TLS/MSRP', path: ['msrps://127.0.0.1:9/h0st1le;tcp'] } as const;
const cutShort = async (): Promise<Uint8Array> => (await stage.offerKey()).message.subarray(0, 200);
const forCarol = async (): Promise<Uint8Array> => (await stage.offerKey('sip:carol@lab.test')).message;
const noise = (): Promise<Uint8Array> => Promise.resolve(Uint8Array.from({ length: 90 }, (_, at) => (at * 91) & 0xff));

describe('INVITE', () => {
  test.each<[string, () => string | Promise<string>, number, RegExp]>([
    ['an offer that is no SDP', () => 'garbage', 400, /sdp\S* at offset 0/],
    ['an offer with a broken line', () => sdp({}, (text) => text.replace('s=', 'no')), 400, /sdp\S* at offset \d+/],
    ['an offer without MSRP', () => sdp({}, (text) => text.replace('TCP/MSRP', 'RTP/AVP')), 488, /sdp\.m: no MSRP/],
    ['an offer without path', () => sdp({}, (text) => text.replace(/a=path.*\r\n/, '')), 488, /sdp\.path/],
    ['a path that is no MSRP URI', () => sdp({ path: ['http://x/y'] }), 488, /sdp\.path/],
    [
      'a port out of range',
      () => sdp({}, (text) => text.replace('message 9', 'message 99999')),
      400,
      /sdp\.m\S* at offset/,
    ],
    ['an impossible role', () => sdp().replace(/a=setup:\w+/, 'a=setup:both'), 488, /sdp\.setup/],
    ['TLS without fingerprint', () => sdp(tls), 488, /peer-incompatible/],
    [
      'a sha-1 fingerprint alone',
      () => sdp({ ...tls, fingerprints: [{ hash: 'sha-1', value: Array(20).fill('AB').join(':') }] }),
      488,
      /peer-incompatible/,
    ],
    [
      'a fingerprint cut short',
      () => sdp(tls, (text) => `${text}a=fingerprint:sha-256 AB:CD\r\n`),
      488,
      /sdp\.fingerprint/,
    ],
    [
      'key management that is no base64',
      () => sdp(tls, (text) => `${text}a=key-mgmt:mikey %%%%\r\n`),
      488,
      /sdp\.key-mgmt/,
    ],
    [
      'key management that is noise',
      async () => sdp({ ...tls, keyMgmt: await noise() }),
      488,
      /session\.key-refused.*mikey\S* at offset \d+/,
    ],
    [
      'a TRANSFER_INIT cut short',
      async () => sdp({ ...tls, keyMgmt: await cutShort() }),
      488,
      /session\.key-refused.*mikey\S* at offset \d+/,
    ],
    [
      'a TRANSFER_INIT for somebody else',
      async () => sdp({ ...tls, keyMgmt: await forCarol() }),
      488,
      /session\.key-refused.*mikey\.\S*IDRr/,
    ],
    ['key management for a plain stream', async () => sdp({ keyMgmt: await cutShort() }), 488, /peer-incompatible/],
  ])('%s is refused', async (_, body, status, line) => {
    const refused = stage.alice.refused.length;
    const log = await stage.logOf(async () => {
      const answer = await stage.edge.ask(offer(await body()));
      expect([answer.status, answer.headers.get('Warning')]).toEqual([status, expect.stringMatching(/^399 /)]);
    });
    expect(log).toMatch(line);
    // An offer that is no SDP at all never becomes an invitation.
    expect(stage.alice.refused.length - refused).toBe(status === 400 ? 0 : 1);
  });

  test('a failure of key management is also said as MIKEY Error', async () => {
    const answer = await stage.edge.ask(offer(sdp({ ...tls, keyMgmt: await forCarol() })));
    const description = parseSdp(answer.body);
    expect(readMsrpMedia(description.media[0]!, description).keyMgmt?.[1]).toBe(6);
  });

  test.each<[string, string | undefined, number]>([
    ['no offer', '', 488],
    ['an offer of another type', undefined, 415],
  ])('%s', async (_, type, status) => {
    const content = type === '' ? undefined : { type: 'text/plain', body: 'hello' };
    expect((await stage.edge.ask(stage.edge.request('INVITE', content))).status).toBe(status);
  });

  test.each<[Policy, Partial<MsrpMediaOptions>, string]>([
    ['require-e2ae', {}, 'policy-not-met'],
    ['require-e2ae', { ...tls, fingerprints: [goodFingerprint] }, 'no-network-indication'],
    ['require-e2ae', { ...tls, fingerprints: [goodFingerprint], e2ae: 'requested' }, 'no-network-indication'],
    ['require-e2e', {}, 'policy-not-met'],
    ['require-e2e', { ...tls, fingerprints: [goodFingerprint], e2ae: 'applied' }, 'policy-not-met'],
  ])('under %s %j is refused', async (policy, options, code) => {
    stage.alice.account.setContactPolicy('sip:bob@lab.test', policy);
    const answer = await stage.edge.ask(offer(sdp(options)));
    stage.alice.account.setContactPolicy('sip:bob@lab.test', undefined);
    expect(answer.status).toBe(488);
    expect(stage.alice.refused.at(-1)?.refusal).toMatchObject({ code, required: policy });
  });
});

/** Alice invites; `answer` makes of her offer what comes back. */
async function invited(
  policy: Policy,
  answer: (own: MsrpMedia) => string | Promise<string>,
): Promise<{ outcome: OpenSessionOutcome; invite: SipMessage }> {
  stage.edge.keeps = ({ method }) => method === 'INVITE';
  const before = stage.edge.received.length;
  const opening = stage.alice.account.openSession({ to: stage.bob.uri, policy });
  const invite = await stage.edge.incoming(
    (request) => request.method === 'INVITE' && stage.edge.received.indexOf(request) >= before,
    'INVITE',
  );
  stage.edge.answer(invite, 200, { type: 'application/sdp', body: await answer(mediaOf(invite)) });
  return { outcome: await opening, invite };
}

describe('the answer to an INVITE', () => {
  const passive = { ...tls, setup: 'passive' } as const;
  const garbage = (): string => 'garbage';
  test.each<[string, Policy, () => string | Promise<string>, string]>([
    ['that is no SDP', 'require-e2ae', garbage, 'peer-incompatible'],
    ['that is empty', 'require-e2ae', () => '', 'peer-incompatible'],
    ['that refuses the stream', 'require-e2ae', () => sdp({ ...passive, port: 0 }), 'peer-incompatible'],
    [
      'without path',
      'require-e2ae',
      () => sdp(passive, (text) => text.replace(/a=path.*\r\n/, '')),
      'peer-incompatible',
    ],
    [
      'with both roles',
      'require-e2ae',
      () => sdp({ ...tls, setup: 'actpass', fingerprints: [goodFingerprint], e2ae: 'applied' }),
      'peer-incompatible',
    ],
    ['without fingerprint', 'require-e2ae', () => sdp({ ...passive, e2ae: 'applied' }), 'peer-incompatible'],
    [
      'without indication',
      'require-e2ae',
      () => sdp({ ...passive, fingerprints: [goodFingerprint] }),
      'no-network-indication',
    ],
    ['without TLS', 'require-e2ae', () => sdp({ setup: 'passive' }), 'policy-not-met'],
    [
      'without key management',
      'require-e2e',
      () => sdp({ ...passive, fingerprints: [goodFingerprint], e2ae: 'applied' }),
      'peer-incompatible',
    ],
    [
      'with key management over TCP',
      'require-e2e',
      async () => sdp({ setup: 'passive', keyMgmt: await noise() }),
      'peer-incompatible',
    ],
    ['with noise for a key', 'require-e2e', async () => sdp({ ...passive, keyMgmt: await noise() }), 'ticket-invalid'],
    [
      'with the key of another ticket',
      'require-e2e',
      async () => sdp({ ...passive, keyMgmt: (await stage.offerKey()).message }),
      'ticket-invalid',
    ],
  ])('%s ends the call', async (_, policy, body, code) => {
    const { outcome, invite } = await invited(policy, body);
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code } });
    await stage.edge.bye(invite.headers.get('Call-ID'));
  });

  test('to connect to a port where nobody is', async () => {
    const { outcome, invite } = await invited('require-e2ae', () =>
      sdp({ ...passive, port: 9, fingerprints: [goodFingerprint], e2ae: 'applied' }),
    );
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'peer-unreachable' } });
    const bye = await stage.edge.bye(invite.headers.get('Call-ID'));
    expect(bye.headers.getAll('Security-Verify')).toEqual(['tls;q=0.2', 'msrp-tls;mediasec']);
  });

  test('that shows another certificate than announced', async () => {
    const listener = await stage.ports.msrp.listen();
    const accepting = listener.accept(await otherCertificate(), 10_000).catch(() => undefined);
    const { outcome } = await invited('require-e2ae', () =>
      sdp({ ...passive, port: listener.address.port, fingerprints: [goodFingerprint], e2ae: 'applied' }),
    );
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'fingerprint-mismatch' } });
    listener.close();
    (await accepting)?.close();
  });
});

async function otherCertificate(): Promise<MsrpSecurity> {
  const certificate = await createDeviceCertificate({ commonName: 'other', now: Date.now() });
  return { mode: 'fingerprint', certificate, peerFingerprints: [goodFingerprint] };
}

describe('a session that stands', () => {
  interface Raw {
    readonly socket: Socket;
    readonly own: MsrpMedia;
    said: string;
    isClosed: boolean;
  }

  /** Bob connects without protection, which alice's policy allows. */
  async function connected(): Promise<Raw> {
    const answer = await stage.edge.ask(offer(sdp()));
    expect(answer.status).toBe(200);
    const own = mediaOf(answer);
    const raw: Raw = { socket: connect(own.port, '127.0.0.1'), own, said: '', isClosed: false };
    raw.socket.on('data', (bytes: Buffer) => (raw.said += bytes.toString('latin1')));
    raw.socket.on('error', () => undefined).on('close', () => (raw.isClosed = true));
    raw.socket.write(frame(raw, { range: '1-0/0' }));
    await until(() => stage.alice.account.status().sessions.length === 1, 'a session');
    await until(() => raw.said.includes('200'), 'the first answer');
    return raw;
  }

  function frame(
    { own }: Raw,
    { id = 'tr4n5act', to = own.path[0] ?? '', range = '1-2/2', type = 'text/plain', body = 'hi', flag = '$' },
  ): string {
    const content = range === '1-0/0' ? '' : `Content-Type: ${type}\r\n\r\n${body}\r\n`;
    return (
      `MSRP ${id} SEND\r\nTo-Path: ${to}\r\nFrom-Path: msrp://127.0.0.1:9/h0st1le;tcp\r\nMessage-ID: m${id}\r\n` +
      `Byte-Range: ${range}\r\n${content}-------${id}${flag}\r\n`
    );
  }

  async function end(raw: Raw): Promise<void> {
    raw.socket.destroy();
    await until(() => stage.alice.account.status().sessions.length === 0, 'the session ends');
  }

  test.each<[string, string, RegExp]>([
    ['octets that are no frame', 'GET / HTTP/1.1\r\n\r\n', /session\.closed.*msrp\S* at offset \d+/],
    [
      'a line without end',
      `MSRP abcd SEND\r\nTo-Path: ${'x'.repeat(100_000)}`,
      /session\.closed.*msrp\S* at offset \d+/,
    ],
    [
      'a header that is none',
      'MSRP abcd SEND\r\nno colon\r\n-------abcd$\r\n',
      /session\.closed.*msrp\S* at offset \d+/,
    ],
  ])('%s end it with a reason', async (_, octets, line) => {
    const raw = await connected();
    const log = await stage.logOf(async () => {
      raw.socket.write(octets);
      await until(() => raw.isClosed, 'closed');
    });
    expect(log).toMatch(line);
    await end(raw);
  });

  test.each<[string, Parameters<typeof frame>[1], number]>([
    ['to another session', { id: 'aaaaaaaa', to: 'msrp://127.0.0.1:9/other;tcp' }, 481],
    ['with a range that ends before it starts', { id: 'bbbbbbbb', range: '5-2/9' }, 400],
    ['with a range beyond the whole', { id: 'cccccccc', range: '8-9/2' }, 400],
    ['of more octets than a text may have', { id: 'dddddddd', range: '1-2/99999999' }, 413],
    ['of an unknown type', { id: 'eeeeeeee', type: 'application/x-unknown' }, 415],
    ['of CPIM that is none', { id: 'ffffffff', type: 'message/cpim', body: 'hi' }, 400],
    ['of text that is no UTF-8', { id: 'gggggggg', body: 'h\u00ff' }, 400],
  ])('a SEND %s is answered', async (_, options, status) => {
    const raw = await connected();
    raw.socket.write(Buffer.from(frame(raw, options), 'latin1'));
    await until(() => raw.said.includes(`MSRP ${options.id ?? ''} `), 'an answer');
    expect(raw.said).toContain(`MSRP ${options.id ?? ''} ${status}`);
    // What follows is taken all the same.
    raw.socket.write(
      frame(raw, { id: 'hhhhhhhh', range: `1-${secretText.length}/${secretText.length}`, body: secretText }),
    );
    await until(() => raw.isClosed || stage.alice.received.some(({ text }) => text === secretText), 'a good one');
    await end(raw);
  });
});

describe('a peer that does not do its part', { concurrent: true, timeout: 30_000 }, () => {
  test.for<[string, Partial<MsrpMediaOptions>, MsrpSecurity | 'silent' | 'absent', string]>([
    ['never connects', tls, 'absent', 'timeout'],
    ['connects and says nothing', tls, 'silent', 'timeout'],
    ['has another key', tls, { mode: 'psk', psk: wrongKey(), pskIdentity: 'x' }, 'tls-failed'],
  ])('%s', async ([, options, deed, code]) => {
    const key = await stage.offerKey();
    const request = offer(sdp({ ...options, keyMgmt: key.message }));
    const answer = await stage.edge.ask(request);
    expect(answer.status).toBe(200);
    const { port } = mediaOf(answer);
    const socket = deed === 'silent' ? connect(port, '127.0.0.1') : undefined;
    socket?.on('error', () => undefined);
    if (typeof deed === 'object') {
      const address = { host: '127.0.0.1', port };
      await expect(stage.ports.msrp.connect(address, deed, 5_000)).rejects.toThrow();
    }
    await stage.edge.bye(request.headers.get('Call-ID'));
    socket?.destroy();
    await until(() => stage.alice.refused.some(({ refusal }) => refusal.code === code), code);
  });
});
