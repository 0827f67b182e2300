import type { Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { ProtocolError } from '../../base/errors.ts';

/** The active side must speak at once (RFC 4975 section 5.4); one that stays silent this long is taken anyway. */
const graceMilliseconds = 1_000;
const opening = Buffer.from('MSRP ');

/**
 * Waits until an accepted plain connection looks like MSRP, so that a passing port scanner does not take the place
 * of the peer. What was read stays to be read again.
 */
export function expectMsrp(socket: Socket, clock: Clock): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const finish = (failure?: string): void => {
      cancelGrace();
      socket.off('data', onData).off('error', onFailure).off('close', onFailure);
      if (failure === undefined) {
        resolve(socket);
        return;
      }
      socket.on('error', () => undefined).destroy();
      reject(
        new ProtocolError('peer-misbehaved', failure, {
          field: 'msrp.connection',
          offset: 0,
          expected: 'an MSRP request',
        }),
      );
    };
    const onData = (bytes: Buffer): void => {
      socket.pause();
      const isMsrp = bytes.subarray(0, opening.length).equals(opening.subarray(0, bytes.length));
      if (isMsrp) socket.unshift(bytes);
      finish(isMsrp ? undefined : 'something other than MSRP');
    };
    const onFailure = (): void => finish('closed before it said anything');
    const cancelGrace = clock.after(graceMilliseconds, () => {
      socket.pause();
      finish();
    });
    socket.on('data', onData).once('error', onFailure).once('close', onFailure);
    socket.resume();
  });
}
