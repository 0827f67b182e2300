import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import type { Clock } from '../../../src/base/clock.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import type { Logger } from '../../../src/base/log.ts';
import { silentLogger } from '../../../src/base/log.ts';
import type { Random } from '../../../src/base/random.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { hmacSha256 } from '../../../src/crypto/digest.ts';
import type { AkaCard } from '../../../src/engine/bootstrapping/bootstrap-method.ts';
import type { Bootstrapping, BsfConnection, BsfReply, TlsKeyExporter } from '../../../src/engine/ports.ts';
import { createMemorySimState } from '../../../src/engine/sim/memory-sim-state.ts';
import { SoftwareSim } from '../../../src/engine/sim/index.ts';
import { Bsf, type BsfSubscriber, type UbAnswer, type UbQuestion } from '../../../src/lab/bsf/bsf.ts';
import { AuthenticationCentre, type MilenageKeys, type SequenceNumber } from '../../../src/protocol/gba/index.ts';

export const bsfName = 'bsf.lab.test';
export const bsfUrl = `https://${bsfName}/`;

/** What home network and card share, and how far the network has counted. */
export class TestSubscriber implements BsfSubscriber {
  readonly identities: readonly string[];
  readonly password: SecretBytes;
  readonly keys: MilenageKeys;
  sequence: SequenceNumber = { seq: 100, ind: 0 };
  readonly #random: Random;

  constructor(identities: readonly string[], password: string, random: Random) {
    this.identities = identities;
    this.password = new SecretBytes(utf8(password));
    this.keys = { k: new SecretBytes(random.bytes(16)), opc: new SecretBytes(random.bytes(16)) };
    this.#random = random;
  }

  createVector = () => {
    const made = new AuthenticationCentre(this.keys).createVector(this.#random.bytes(16), this.sequence);
    this.sequence = made.sequence;
    return made.vector;
  };

  resynchronise = (rand: Uint8Array, auts: Uint8Array): boolean => {
    const outcome = new AuthenticationCentre(this.keys).resynchronise(rand, auts);
    if (outcome.outcome === 'resynchronised') this.sequence = outcome.sequence;
    return outcome.outcome === 'resynchronised';
  };

  /** A card that has seen nothing yet. @param keys other ones for somebody else's card */
  card(keys: MilenageKeys = this.keys): AkaCard {
    return new SoftwareSim({ keys, state: createMemorySimState() });
  }
}

/** A BSF without HTTP, and a road to it on which things may happen. */
export class MemoryBsf implements Bootstrapping {
  readonly subscribers = new Map<string, TestSubscriber>();
  readonly bsf: Bsf;
  /** Questions in the order in which they came. */
  readonly questions: Readonly<Record<string, string>>[] = [];
  isAway = false;
  /** Changes what the BSF answers on its way. */
  rewrite: (answer: UbAnswer, question: UbQuestion) => UbAnswer = (answer) => answer;
  /** Runs before the next question is handed over. */
  beforeQuestion: () => void = () => undefined;
  /** Connections that are open. */
  connections = 0;
  readonly #random: Random;

  constructor(clock: Clock, random: Random, log: Logger = silentLogger) {
    this.#random = random;
    this.bsf = new Bsf({ name: bsfName, domain: 'lab.test', subscribers: this.subscribersPort(), clock, random, log });
  }

  open(): BsfConnection {
    const secret = this.#random.bytes(32);
    const exportKey: TlsKeyExporter = (label, length) => {
      const blocks = [1, 2].map((block) => hmacSha256(secret, utf8(label), Uint8Array.of(block)));
      return new SecretBytes(concatBytes(...blocks).subarray(0, length));
    };
    this.connections += 1;
    return {
      ask: async (compose) => {
        await Promise.resolve();
        if (this.isAway) throw new ProtocolError('peer-misbehaved', 'no answer', { field: 'bsf.connection' });
        this.beforeQuestion();
        const headers = compose(exportKey);
        this.questions.push(headers);
        return this.ask(headers, exportKey);
      },
      close: () => (this.connections -= 1),
    };
  }

  ask(headers: Readonly<Record<string, string>>, exportKey: TlsKeyExporter): BsfReply {
    const question: UbQuestion = {
      method: 'GET',
      target: '/',
      authorization: headers['Authorization'],
      userAgent: headers['User-Agent'],
      exportKey,
    };
    const answer = this.rewrite(this.bsf.handle(question), question);
    const named = Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), value]);
    return { status: answer.status, headers: Object.fromEntries(named) as Record<string, string>, body: answer.body };
  }

  subscribersPort() {
    return { find: (privateIdentity: string) => this.subscribers.get(privateIdentity) };
  }
}
