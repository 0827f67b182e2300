import type { RawData, WebSocket } from 'ws';
import type { ServerEnvelope } from '../../contract/index.ts';
import type { Bridge } from '../../node/bridge/bridge.ts';

const callsInFlight = 64;
/** Octets waiting to be read by a page; a page that is slower than this is cut off and starts again from a snapshot. */
const outgoingBacklog = 8 * 1024 * 1024;

const policyViolation = 1008;
const unsupportedData = 1003;
const tryAgainLater = 1013;

/** Joins one page to the bridge until either side goes. */
export function serveBridge(socket: WebSocket, bridge: Bridge): void {
  let running = 0;

  const send = (envelope: ServerEnvelope): void => {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > outgoingBacklog) {
      socket.close(tryAgainLater, 'too slow');
      return;
    }
    socket.send(JSON.stringify(envelope));
  };

  const answer = async (data: RawData): Promise<void> => {
    running += 1;
    try {
      send(await bridge.handle(parse(data)));
    } finally {
      running -= 1;
    }
  };

  const unsubscribe = bridge.subscribe(send);
  socket.on('close', unsubscribe);
  // The close event follows every error; without a listener the error would end the process.
  socket.on('error', () => undefined);
  socket.on('message', (data, isBinary) => {
    if (isBinary) socket.close(unsupportedData, 'text only');
    else if (running >= callsInFlight) socket.close(policyViolation, 'too many calls at once');
    else void answer(data);
  });
}

/** Anything that is not JSON goes on as undefined, which the bridge refuses as no envelope. */
function parse(data: RawData): unknown {
  try {
    return JSON.parse((Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)).toString('utf8'));
  } catch {
    return undefined;
  }
}
