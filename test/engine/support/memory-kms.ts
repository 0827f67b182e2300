import { utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import type { KeyManagement, KmsReply } from '../../../src/engine/ports.ts';
import {
  bytesIdentity,
  KmsMachine,
  sameIdentity,
  uriIdentity,
  type KmsOutcome,
  type KmsSubscriber,
} from '../../../src/protocol/mikey/index.ts';
import type { Clock } from '../../../src/base/clock.ts';

/** A KMS without HTTP. `fault` changes what the next answers are. */
export class MemoryKms implements KeyManagement {
  readonly identity = 'sip:kms.lab.test';
  fault: 'none' | 'down' | 'silent' | 'wrong-key' | 'server-error' | 'unauthorised' | 'garbage' | undefined;
  /** Who may resolve and request; everybody who has a key unless said. */
  forbidden = new Set<string>();
  requests = 0;
  resolves = 0;
  readonly #clock: Clock;
  readonly #psks = new Map<string, Uint8Array>();
  readonly #machine: KmsMachine;

  constructor(clock: Clock) {
    this.#clock = clock;
    const tpk = { id: bytesIdentity(utf8('tpk-1')), key: new SecretBytes(secureRandom.bytes(32)) };
    this.#machine = new KmsMachine({
      identity: uriIdentity(this.identity),
      tpks: { current: tpk, find: () => tpk.key },
      directory: {
        findSubscriber: (pskId) => this.#subscriber(pskId === undefined ? '' : new TextDecoder().decode(pskId.data)),
        mayRequest: ({ name }) => !this.forbidden.has(name),
        responderFor: ({ name }, responders) =>
          this.forbidden.has(name) ? undefined : responders.find((one) => sameIdentity(one, uriIdentity(name))),
      },
      rules: {
        startsBeforeIssueSeconds: 300,
        sessionLifetimeSeconds: 24 * 3600,
        messageLifetimeSeconds: 7 * 24 * 3600,
      },
      random: secureRandom,
    });
  }

  /** The key of a user, named by the user's URI. */
  pskOf(uri: string): SecretBytes {
    const psk = this.#psks.get(uri) ?? secureRandom.bytes(32);
    this.#psks.set(uri, psk);
    return new SecretBytes(psk);
  }

  async exchange(kind: 'ticketrequest' | 'ticketresolve', _kms: unknown, message: Uint8Array): Promise<KmsReply> {
    if (kind === 'ticketrequest') this.requests += 1;
    else this.resolves += 1;
    await Promise.resolve();
    if (this.fault === 'down') {
      throw new ProtocolError('peer-incompatible', 'connection refused', { field: 'kms.connection' });
    }
    if (this.fault === 'silent') return new Promise(() => undefined);
    if (this.fault === 'server-error') return { status: 503, message: undefined };
    if (this.fault === 'unauthorised') return { status: 401, message: undefined };
    const handle = kind === 'ticketrequest' ? 'handleTicketRequest' : 'handleTicketResolve';
    const reply = replyOf(await this.#machine[handle](message, this.#clock.now()));
    const last = reply.message?.length ?? 0;
    // As an answer under another key looks: its MAC does not hold.
    if (this.fault === 'wrong-key') reply.message?.set([(reply.message[last - 1] ?? 0) ^ 1], last - 1);
    if (this.fault === 'garbage') return { status: 200, message: Uint8Array.of(1, 2, 3) };
    return reply;
  }

  #subscriber(name: string): KmsSubscriber | undefined {
    const psk = this.#psks.get(name);
    if (psk === undefined) return undefined;
    const identity = uriIdentity(name);
    return { name, identity, psk: new SecretBytes(psk), owns: (claimed) => sameIdentity(claimed, identity) };
  }
}

function replyOf(outcome: KmsOutcome): KmsReply {
  switch (outcome.outcome) {
    case 'answered':
    case 'refused':
      return { status: 200, message: outcome.message };
    case 'forbidden':
      return { status: 403, message: outcome.message };
    case 'not-authenticated':
      return { status: 401, message: outcome.message };
    case 'malformed':
      return { status: 400, message: outcome.message };
    case 'overloaded':
      return { status: 503, message: undefined };
  }
}
