import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Policy } from '../../src/base/protection-level.ts';
import { createDeviceCertificate, type DeviceCertificate } from '../../src/crypto/certificate.ts';
import type { MsrpConnection, MsrpListener } from '../../src/engine/ports.ts';
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
import type { SipMessage } from '../../src/protocol/sip/message.ts';
import { HostileStage } from './support/hostile-stage.ts';
import { until } from './support/parties.ts';

let stage: HostileStage;
let certificate: DeviceCertificate;
let listener: MsrpListener;

beforeAll(async () => {
  stage = await HostileStage.start();
  certificate = await createDeviceCertificate({ commonName: 'edge', now: Date.now() });
  listener = await stage.ports.msrp.listen();
});

afterAll(async () => {
  listener.close();
  await stage.stop();
});

/** What the gateway of a good network says. */
function sdp(setup: NonNullable<MsrpMediaOptions['setup']>, changes: Partial<MsrpMediaOptions> = {}): string {
  const media = buildMsrpMedia({
    protocol: 'TCP/TLS/MSRP',
    port: listener.address.port,
    address: '127.0.0.1',
    path: [`msrps://127.0.0.1:${listener.address.port}/g4teway;tcp`],
    setup,
    acceptTypes: ['text/plain'],
    fingerprints: [{ hash: 'sha-256', value: certificate.sha256 }],
    e2ae: 'applied',
    ...changes,
  });
  return formatSdp(createSessionDescription({ id: '1', version: '1', address: '127.0.0.1', media: [media] }));
}

function mediaOf({ body }: SipMessage): MsrpMedia {
  const description = parseSdp(body);
  return readMsrpMedia(findMsrpMedia(description)!, description);
}

/** Our half of the connection, in the role that alice leaves to us. */
function connection(own: MsrpMedia, role: 'active' | 'passive', shown = certificate): Promise<MsrpConnection> {
  const security = { mode: 'fingerprint', certificate: shown, peerFingerprints: own.fingerprints } as const;
  if (role === 'passive') return listener.accept(security, 5_000);
  return stage.ports.msrp.connect({ host: '127.0.0.1', port: own.port }, security, 5_000);
}

async function invited(to: string, policy: Policy) {
  stage.edge.keeps = ({ method }) => method === 'INVITE';
  const seen = stage.edge.received.length;
  const opening = stage.alice.account.openSession({ to, policy });
  const invite = await stage.edge.incoming(
    (request) =>
      request.method === 'INVITE' &&
      stage.edge.received.indexOf(request) >= seen &&
      request.headers.get('To')?.includes(to) === true,
    'INVITE',
  );
  return { opening, invite, own: mediaOf(invite) };
}

async function noSession(): Promise<void> {
  for (const { id } of stage.alice.account.status().sessions) await stage.alice.account.closeSession(id);
}

describe('who connects', () => {
  test.each(['active', 'passive'] as const)('an answer that is %s', async (role) => {
    const { opening, invite, own } = await invited('sip:bob@lab.test', 'require-e2ae');
    expect(own.setup).toBe('actpass');
    const ours = role === 'passive' ? connection(own, role) : undefined;
    stage.edge.answer(invite, 200, { type: 'application/sdp', body: sdp(role) });
    const connected = await (ours ?? connection(own, role));
    expect(await opening).toMatchObject({ outcome: 'opened', session: { level: 'e2ae' } });
    connected.close();
    await noSession();
  });

  test.each(['active', 'passive', 'actpass'] as const)('an offer that is %s', async (setup) => {
    const role = setup === 'active' ? 'active' : 'passive';
    const ours = stage.edge.ask(stage.edge.request('INVITE', { type: 'application/sdp', body: sdp(setup) }));
    const own = mediaOf(await ours);
    expect(own.setup).toBe(role === 'active' ? 'passive' : 'active');
    const connected = await connection(own, role);
    await until(() => stage.alice.account.status().sessions.length === 1, 'a session');
    expect(stage.alice.account.status().sessions).toMatchObject([
      { level: 'e2ae', evidence: { indication: 'applied' } },
    ]);
    connected.close();
    await noSession();
  });

  test.each(['require-e2e', 'require-e2ae'] as const)('both at once, under %s', async (policy) => {
    stage.edge.keeps = () => false;
    const [one, other] = await Promise.all([
      stage.alice.account.sendMessage({ to: stage.bob.uri, text: 'from alice', way: 'msrp', policy }),
      stage.bob.account.sendMessage({ to: stage.alice.uri, text: 'from bob', way: 'msrp', policy }),
    ]);
    for (const sent of [one, other]) {
      expect(sent).toMatchObject({ outcome: 'sent', message: { level: policy.replace('require-', '') } });
    }
    await noSession();
  });
});

describe('a peer that gives up or does nothing', { concurrent: true, timeout: 25_000 }, () => {
  test('the call ends before anybody connected: at once', async () => {
    const { opening, invite } = await invited('sip:dave@lab.test', 'require-e2ae');
    stage.edge.answer(invite, 200, { type: 'application/sdp', body: sdp('active') });
    await stage.edge.incoming(({ method, headers }) => method === 'ACK' && sameCall(headers, invite), 'ACK');
    const before = Date.now();
    stage.edge.send(byeAfter(invite));
    expect(await opening).toMatchObject({ outcome: 'refused', refusal: { code: 'connection-lost' } });
    expect(Date.now() - before).toBeLessThan(2_000);
  });

  test.for([
    ['takes the call and never connects', 'sip:erin@lab.test', 'active', 'timeout'],
    ['takes the connection and says nothing', 'sip:fred@lab.test', 'passive', 'timeout'],
  ] as const)('%s', async ([, to, role, code]) => {
    const silent = await stage.ports.msrp.listen();
    const { opening, invite } = await invited(to, 'require-e2ae');
    const body = sdp(role, { port: silent.address.port });
    stage.edge.answer(invite, 200, { type: 'application/sdp', body });
    expect(await opening).toMatchObject({ outcome: 'refused', refusal: { code } });
    await stage.edge.bye(invite.headers.get('Call-ID'));
    silent.close();
  });

  test('connects with another certificate than announced', async () => {
    const other = await createDeviceCertificate({ commonName: 'other', now: Date.now() });
    const { opening, invite, own } = await invited('sip:gina@lab.test', 'require-e2ae');
    stage.edge.answer(invite, 200, { type: 'application/sdp', body: sdp('active') });
    void connection(own, 'active', other).catch(() => undefined);
    expect(await opening).toMatchObject({ outcome: 'refused', refusal: { code: 'fingerprint-mismatch' } });
    await stage.edge.bye(invite.headers.get('Call-ID'));
  });
});

function sameCall(headers: SipMessage['headers'], invite: SipMessage): boolean {
  return headers.get('Call-ID') === invite.headers.get('Call-ID');
}

function byeAfter(invite: SipMessage): SipMessage {
  const bye = stage.edge.request('BYE');
  bye.headers
    .set('Call-ID', invite.headers.get('Call-ID') ?? '')
    .set('From', `${invite.headers.get('To') ?? ''};tag=h0stile`)
    .set('To', invite.headers.get('From') ?? '');
  return bye;
}
