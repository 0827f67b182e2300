import { expect } from 'vitest';
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { MsrpChannel } from '../../../src/engine/msrp/msrp-channel.ts';
import type { MsrpConnection, MsrpSockets, SocketAddress, MsrpSecurity } from '../../../src/engine/ports.ts';
import { systemClock } from '../../../src/node/system-clock.ts';
import { encodeFrame } from '../../../src/protocol/msrp/index.ts';
import type { PeerProcess } from './peer-process.ts';

const ourPath = 'msrps://127.0.0.1:2855/ours;tcp';
const peerPath = 'msrps://127.0.0.1:2856/theirs;tcp';

/** MSRP frames over a finished connection: one from the foreign program, answered; one from us. */
export async function converse(connection: MsrpConnection, active: boolean, peer: PeerProcess): Promise<void> {
  const channel = new MsrpChannel({
    connection,
    clock: systemClock,
    random: secureRandom,
    localPath: [ourPath],
    remotePath: [peerPath],
    active,
  });
  try {
    const received = new Promise<string>((resolve) => {
      channel.events.on('message', ({ bytes }) => resolve(fromUtf8(bytes)));
    });
    const headers = {
      toPath: [ourPath],
      fromPath: [peerPath],
      messageId: 'from-peer',
      contentType: 'text/plain',
      other: [],
    };
    const head = { kind: 'request', transactionId: 'peer1234', method: 'SEND', headers } as const;
    peer.write(encodeFrame({ head, body: utf8('hello from the peer'), flag: '$' }));
    expect(await received).toBe('hello from the peer');
    await peer.waitFor(/MSRP peer1234 200 OK/);
    void channel.send({ contentType: 'text/plain', bytes: utf8('hello from us') });
    await peer.waitFor(/hello from us/);
  } finally {
    channel.close();
  }
}

/** Tries until the foreign server listens. Only refused connections are tried again. */
export async function connectWhenReady(
  sockets: MsrpSockets,
  address: SocketAddress,
  security: MsrpSecurity,
): Promise<MsrpConnection> {
  for (let tries = 0; ; tries++) {
    try {
      return await sockets.connect(address, security, 10_000);
    } catch (error) {
      if (tries > 100 || !String(error).includes('ECONNREFUSED')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
