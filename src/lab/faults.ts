import { fromBase64, toBase64 } from '../base/bytes.ts';

/** Ways in which the network can misbehave, switched while the lab runs. Absent means off. */
export interface LabFaults {
  /** The gateway terminates TLS but the IMS-ALG does not write `a=3ge2ae:applied`. */
  omitIndication?: boolean;
  /** The IMS-ALG announces the fingerprint of a certificate that the gateway does not present. */
  wrongFingerprint?: boolean;
  /** Each MESSAGE reaches its recipient a second time, in a new transaction with a new Call-ID. */
  replayMessages?: boolean;
  /** One bit inside the pkcs7-mime part of each MESSAGE is turned in transit. */
  flipCmsBit?: boolean;
  /** The KMS protects its answers under a key that is not the user's. */
  kmsWrongKey?: boolean;
  /** The authentication centre challenges SIMs under a key that is not theirs. */
  akaWrongKey?: boolean;
  /** It challenges them with sequence numbers far ahead of any it used, or with the last one again, until a SIM tells it better. */
  akaSequence?: 'ahead' | 'repeated';
  /** The bootstrapping server cannot prove that it knows what the subscriber and the network share. */
  bsfForgedProof?: boolean;
  /** The KMS is away: connections to its port are closed before anything is said. Its keys and its port stay as they are. */
  kmsAway?: boolean;
  /** Each MESSAGE vanishes inside the network, unanswered. */
  dropMessages?: boolean;
  /** Milliseconds that each MESSAGE waits inside the network. */
  delay?: number;
  /** Milliseconds that every message takes on the link between a UE and its edge, each way. */
  latency?: number;
  /** Chances, 0 to 1, that a datagram between a UE and its edge is lost, comes twice, or is overtaken by the next one. */
  udpLoss?: number;
  udpDuplication?: number;
  udpReordering?: number;
  /** Datagrams that would travel in fragments never arrive. */
  udpFragmentsLost?: boolean;
  /** Requests go to no flow of that edge: it answers 430 for each (RFC 5626 5.3.1). */
  flowFailedAtEdge?: number;
}

/**
 * Turns the lowest bit of one octet of the pkcs7-mime part: the 32nd from its end, which lies in the encrypted content
 * just before the MAC. A body without such a part comes back as it is.
 */
export function flipCmsBit(contentType: string, body: Uint8Array): Uint8Array {
  const text = Buffer.from(body).toString('latin1');
  const whole = /^application\/pkcs7-mime/i.test(contentType);
  const header = whole ? 0 : text.search(/content-type:\s*application\/pkcs7-mime/i);
  if (header < 0) return body;
  const start = whole ? 0 : text.indexOf('\r\n\r\n', header) + 4;
  const boundary = text.indexOf('\r\n--', start);
  const end = whole || boundary < 0 ? body.length : boundary;
  const part = body.subarray(start, end);
  const partHeaders = text.slice(text.lastIndexOf('\r\n--', header) + 1, start);
  const flipped = /content-transfer-encoding:\s*base64/i.test(partHeaders)
    ? Buffer.from(toBase64(flip(fromBase64(Buffer.from(part).toString('latin1')))))
    : flip(part);
  return Buffer.concat([body.subarray(0, start), flipped, body.subarray(end)]);
}

function flip(octets: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(octets);
  const at = Math.max(copy.length - 32, 0);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
