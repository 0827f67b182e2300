import { randomId } from '../../base/random.ts';
import { secureRandom } from '../../crypto/random.ts';
import type { DeviceCertificate, MsrpListener, MsrpSecurity, MsrpSockets } from '../../engine/ports.ts';
import { MsrpChannel } from '../../engine/msrp/msrp-channel.ts';
import { systemClock } from '../../node/system-clock.ts';
import type { ReceivedMessage } from '../../protocol/msrp/index.ts';
import {
  buildMsrpMedia,
  chatroomLine,
  createSessionDescription,
  findMsrpMedia,
  formatSdp,
  parseSdp,
  readChatroom,
  readMsrpMedia,
} from '../../protocol/sdp/index.ts';

export interface MemberMedia {
  readonly answer: string;
  /** What the member's side can do in rooms. */
  readonly privateMessages: boolean;
  readonly channel: Promise<MsrpChannel>;
  close(): void;
}

export interface MemberMediaOptions {
  readonly sockets: MsrpSockets;
  readonly certificate: DeviceCertificate;
  readonly offer: Uint8Array;
  readonly judge: (message: ReceivedMessage) => number;
  readonly onNickname: (nickname: string) => number;
}

const connectMilliseconds = 30_000;

/** The room's end of one member's MSRP session; the member connects. @throws ProtocolError for an offer that cannot be used. */
export async function openMemberMedia(options: MemberMediaOptions): Promise<MemberMedia> {
  const { sockets, certificate, offer, judge, onNickname } = options;
  const description = parseSdp(offer);
  const section = findMsrpMedia(description);
  if (section === undefined) throw new RangeError('no MSRP stream');
  const media = readMsrpMedia(section, description);
  const listener = await sockets.listen();
  const { host, port } = listener.address;
  const isTls = media.protocol === 'TCP/TLS/MSRP';
  const path = [`${isTls ? 'msrps' : 'msrp'}://${host}:${port}/${randomId(secureRandom, 12)};tcp`];
  const security: MsrpSecurity = isTls
    ? { mode: 'fingerprint', certificate, peerFingerprints: media.fingerprints }
    : { mode: 'plain' };
  const answered = buildMsrpMedia({
    protocol: media.protocol,
    port,
    address: host,
    path,
    setup: 'passive',
    // RFC 7701 section 5.2: "a single value of 'Message/CPIM'".
    acceptTypes: ['message/cpim'],
    acceptWrappedTypes: ['text/plain'],
    ...(isTls ? { fingerprints: [{ hash: 'sha-256', value: certificate.sha256 }] } : {}),
    more: [chatroomLine({ nicknames: true, privateMessages: true, more: [] })],
  });
  const channel = accept(listener, security).then(
    (connection) =>
      new MsrpChannel({
        connection,
        clock: systemClock,
        random: secureRandom,
        localPath: path,
        remotePath: media.path,
        active: false,
        judge,
        onNickname,
      }),
  );
  channel.catch(() => undefined);
  return {
    answer: formatSdp(createSessionDescription({ id: '1', version: '1', address: host, media: [answered] })),
    privateMessages: readChatroom(section)?.privateMessages === true,
    channel,
    close: () => {
      listener.close();
      channel.then(
        (open) => open.close(),
        () => undefined,
      );
    },
  };
}

async function accept(listener: MsrpListener, security: MsrpSecurity) {
  try {
    return await listener.accept(security, connectMilliseconds);
  } finally {
    listener.close();
  }
}
