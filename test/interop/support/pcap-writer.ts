import { closeSync, openSync, writeSync } from 'node:fs';

/** What fits into one IPv4 packet behind the headers of IPv4 and TCP. */
const segmentOctets = 65_535 - 40;
const clientPort = 40_000;
const flags = { ack: 0x10, push: 0x18, syn: 0x02, synAck: 0x12 } as const;

export type PcapDirection = 'to-server' | 'to-client';

/**
 * Writes what went over one TCP connection as a capture file (libpcap 2.4, raw IPv4), as a network card would have seen
 * it without any loss. Checksums are left out, as a card that counts them itself leaves them out.
 */
export class PcapWriter {
  readonly #file: number;
  readonly #serverPort: number;
  /** Next sequence number of what goes in each direction. */
  readonly #next: Record<PcapDirection, number> = { 'to-server': 1000, 'to-client': 5000 };
  #packets = 0;

  constructor(path: string, serverPort: number) {
    this.#file = openSync(path, 'w');
    this.#serverPort = serverPort;
    const header = Buffer.alloc(24);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(262_144, 16);
    // LINKTYPE_RAW
    header.writeUInt32LE(101, 20);
    writeSync(this.#file, header);
    this.#packet('to-server', flags.syn);
    this.#next['to-server']++;
    this.#packet('to-client', flags.synAck);
    this.#next['to-client']++;
    this.#packet('to-server', flags.ack);
  }

  write(direction: PcapDirection, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += segmentOctets) {
      const segment = bytes.subarray(at, at + segmentOctets);
      this.#packet(direction, flags.push, segment);
      this.#next[direction] += segment.length;
    }
  }

  close(): void {
    closeSync(this.#file);
  }

  #packet(direction: PcapDirection, tcpFlags: number, payload: Uint8Array = new Uint8Array()): void {
    const isToServer = direction === 'to-server';
    const [from, to] = isToServer ? [clientPort, this.#serverPort] : [this.#serverPort, clientPort];
    const length = 40 + payload.length;
    const head = Buffer.alloc(16 + 40);
    // Record header: a time that only counts packets, a microsecond each.
    head.writeUInt32LE(1_700_000_000, 0);
    head.writeUInt32LE(this.#packets++, 4);
    head.writeUInt32LE(length, 8);
    head.writeUInt32LE(length, 12);
    // IPv4: version and header length, total length, time to live, TCP, 127.0.0.1 twice.
    head.writeUInt8(0x45, 16);
    head.writeUInt16BE(length, 18);
    head.writeUInt8(64, 24);
    head.writeUInt8(6, 25);
    head.writeUInt32BE(0x7f000001, 28);
    head.writeUInt32BE(0x7f000001, 32);
    // TCP: ports, sequence and acknowledgement numbers, header length, flags, window.
    head.writeUInt16BE(from, 36);
    head.writeUInt16BE(to, 38);
    head.writeUInt32BE(this.#next[direction], 40);
    head.writeUInt32BE(tcpFlags === flags.syn ? 0 : this.#next[isToServer ? 'to-client' : 'to-server'], 44);
    head.writeUInt8(0x50, 48);
    head.writeUInt8(tcpFlags, 49);
    head.writeUInt16BE(65_535, 50);
    writeSync(this.#file, head);
    writeSync(this.#file, payload);
  }
}
