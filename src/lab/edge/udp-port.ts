import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { secureRandom } from '../../crypto/random.ts';
import { looksLikeStun } from '../../protocol/stun/index.ts';
import type { LabFaults } from '../faults.ts';
import type { LoopbackAddress } from '../loopback.ts';
import type { Timers } from '../timers.ts';
import type { Flow, FlowWire } from './flow.ts';
import { UdpTransactions, type UdpTimes } from './udp-transactions.ts';
import { answerStun } from './stun-answer.ts';

export interface UdpPortOptions {
  readonly port: number;
  readonly faults: LabFaults;
  readonly timers: Timers;
  readonly times: UdpTimes;
  /** Makes the flow of a remote address that was not heard of before. */
  open(remote: { readonly host: string; readonly port: number }): Flow;
}

/** What passes in one piece where an access network drops fragments; see `faults.udpFragmentsLost`. */
const largestUnfragmented = 1472;
const largestDatagram = 65_507;
const maxFlows = 1000;

interface UdpFlow {
  readonly flow: Flow;
  readonly transactions: UdpTransactions;
}

/** The UDP port of an edge: each remote address is one flow (RFC 5626 5.1), with the transaction timers that UDP needs. */
export class UdpPort {
  readonly address: LoopbackAddress;
  readonly #socket: Socket;
  readonly #options: UdpPortOptions;
  readonly #flows = new Map<string, UdpFlow>();
  #isOpen = true;

  static start(options: UdpPortOptions): Promise<UdpPort> {
    const socket = createSocket('udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(options.port, '127.0.0.1', () => {
        socket.off('error', reject);
        resolve(new UdpPort(socket, options));
      });
    });
  }

  private constructor(socket: Socket, options: UdpPortOptions) {
    this.#socket = socket;
    this.#options = options;
    this.address = { host: '127.0.0.1', port: socket.address().port };
    socket.on('error', () => undefined);
    socket.on('message', (bytes, remote) => this.#disturbed(bytes, () => this.#receive(bytes, remote)));
  }

  stop(): Promise<void> {
    this.#isOpen = false;
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }

  #receive(bytes: Uint8Array, remote: RemoteInfo): void {
    if (!this.#isOpen) return;
    // RFC 5626 4.4.2: STUN comes to the same port.
    if (looksLikeStun(bytes)) {
      const answer = answerStun(bytes, { host: remote.address, port: remote.port });
      if (answer !== undefined) this.#transmit(answer, remote);
      this.#flows.get(`${remote.address}:${remote.port}`)?.flow.touch();
      return;
    }
    // Keep-alives without meaning of their own; a proxy takes them in silence.
    if (bytes.every((octet) => octet <= 0x20)) return;
    const { flow, transactions } = this.#flowOf(remote);
    flow.touch();
    flow.tracks.fromUe.record(bytes);
    flow.receive(Uint8Array.from(bytes), (message) => transactions.receive(message));
  }

  #flowOf(remote: RemoteInfo): UdpFlow {
    const key = `${remote.address}:${remote.port}`;
    const known = this.#flows.get(key);
    if (known !== undefined) return known;
    if (this.#flows.size >= maxFlows) this.#flows.values().next().value?.flow.close();
    const flow = this.#options.open({ host: remote.address, port: remote.port });
    const transactions = new UdpTransactions(this.#options.timers, this.#options.times, (bytes) => {
      flow.tracks.toUe.record(bytes);
      this.#transmit(bytes, remote);
    });
    const made = { flow: flow.attach(this.#wire(transactions, key)), transactions };
    this.#flows.set(key, made);
    return made;
  }

  #wire(transactions: UdpTransactions, key: string): FlowWire {
    const close = (): void => {
      transactions.stop();
      this.#flows.delete(key);
    };
    return {
      queuedOctets: 0,
      send: (bytes, message) => transactions.send(message, bytes),
      // There is no connection to end.
      end: () => undefined,
      destroy: close,
    };
  }

  #transmit(bytes: Uint8Array, remote: RemoteInfo): void {
    this.#disturbed(bytes, () => {
      if (this.#isOpen && bytes.length <= largestDatagram) this.#socket.send(bytes, remote.port, remote.address);
    });
  }

  /** Lets the network lose, double or hold back a datagram as the faults say. */
  #disturbed(bytes: Uint8Array, pass: () => void): void {
    const { faults, timers } = this.#options;
    const happens = (chance: number | undefined): boolean => chance !== undefined && fraction() < chance;
    if (faults.udpFragmentsLost === true && bytes.length > largestUnfragmented) return;
    if (happens(faults.udpLoss)) return;
    if (happens(faults.udpDuplication)) pass();
    // Held back for long enough that what follows overtakes it.
    if (happens(faults.udpReordering)) timers.after(reorderMilliseconds, pass);
    else pass();
  }
}

const reorderMilliseconds = 50;

/** 0 up to 1. */
function fraction(): number {
  const [high = 0, low = 0] = secureRandom.bytes(2);
  return (high * 256 + low) / 65_536;
}
