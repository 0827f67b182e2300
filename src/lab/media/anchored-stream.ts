import type { Duplex } from 'node:stream';
import { describeError, ProtocolError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { DeviceCertificate, SocketAddress } from '../../engine/ports.ts';
import {
  formatFingerprint,
  type MediaSection,
  mediaLine,
  type MsrpMedia,
  readMsrpMedia,
  refusedMedia,
  withAttribute,
  withConnectionAddress,
  withMediaLine,
  withoutAttribute,
} from '../../protocol/sdp/index.ts';
import type { LabFaults } from '../faults.ts';
import type { WireRecorder } from '../wire-recorder.ts';
import type { AccessLeg } from './access-leg.ts';
import { joinStreams } from '../join-streams.ts';
import type { LegSecurity } from './leg-security.ts';

export type Side = 'caller' | 'callee';

/** How the gateway treats one MSRP media line. */
export interface StreamPlan {
  /** `bridge`: each leg ends at the gateway, with TLS or without. `relay`: bytes pass untouched (RFC 6714 6). */
  readonly kind: 'bridge' | 'relay';
  /** For a bridge: which legs carry TLS ended by the gateway. */
  readonly tls: Readonly<Record<Side, boolean>>;
  /** What the caller offered. */
  readonly offer: MsrpMedia;
}

export interface StreamTools {
  readonly certificate: DeviceCertificate;
  /** Of a certificate that the gateway never presents, for `LabFaults.wrongFingerprint`. */
  readonly decoyFingerprint: string;
  readonly faults: LabFaults;
  readonly recorder: WireRecorder;
  readonly log: Logger;
}

/** One MSRP stream anchored at the gateway: two ports, later two connections, joined. */
export class AnchoredStream {
  readonly #plan: StreamPlan;
  readonly #legs: Readonly<Record<Side, AccessLeg>>;
  readonly #tools: StreamTools;
  readonly #onClosed: () => void;
  /** The gateway's own role on each leg, once the answer is there. */
  #roles: Readonly<Record<Side, 'active' | 'passive'>> | undefined;
  #closed = false;

  constructor(plan: StreamPlan, legs: Readonly<Record<Side, AccessLeg>>, tools: StreamTools, onClosed: () => void) {
    this.#plan = plan;
    this.#legs = legs;
    this.#tools = tools;
    this.#onClosed = onClosed;
  }

  /** The section as the callee (or, in a later offer, the other side) gets it. Paths stay as they are (RFC 6714). */
  presentOffer(to: Side, section: MediaSection): MediaSection {
    return this.#present(to, section, 'actpass');
  }

  /** Takes the first answer, starts connecting, and gives the section as the caller gets it. */
  presentAnswer(section: MediaSection): MediaSection {
    if (mediaLine(section).port === 0) return this.#refuse(section, 'refused by the callee');
    let answer: MsrpMedia;
    try {
      answer = readMsrpMedia(section);
      this.#checkAnswer(answer);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.#refuse(section, error.message);
    }
    // RFC 4975 8.2, RFC 6135: without a=setup the offerer connects.
    const calleeConnects = answer.setup === 'active';
    const callerConnects = this.#plan.kind === 'relay' ? !calleeConnects : this.#plan.offer.setup !== 'passive';
    this.#roles = { caller: callerConnects ? 'passive' : 'active', callee: calleeConnects ? 'passive' : 'active' };
    void this.#run(answer);
    return this.#present('caller', section, this.#roles.caller);
  }

  /** A later answer of an established session, as `to` gets it. */
  presentLaterAnswer(to: Side, section: MediaSection): MediaSection {
    if (mediaLine(section).port === 0) return this.#refuse(section, 'ended');
    return this.#present(to, section, this.#roles?.[to] ?? 'passive');
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#legs.caller.close();
    this.#legs.callee.close();
    this.#onClosed();
  }

  #present(to: Side, section: MediaSection, setup: string): MediaSection {
    const moved = withConnectionAddress(withMediaLine(section, { port: this.#legs[to].port }), '127.0.0.1');
    // Only the edge may say what the edge did: an indication of the far end never passes.
    const bare = withoutAttribute(moved, '3ge2ae');
    if (this.#plan.kind === 'relay') return bare;
    const plain = withAttribute(withoutAttribute(withoutAttribute(bare, 'fingerprint'), 'key-mgmt'), 'setup', setup);
    if (!this.#plan.tls[to]) return withMediaLine(plain, { protocol: 'TCP/MSRP' });
    const { certificate, decoyFingerprint, faults } = this.#tools;
    const value = faults.wrongFingerprint === true ? decoyFingerprint : certificate.sha256;
    const fingerprint = formatFingerprint({ hash: 'sha-256', value });
    const secured = withAttribute(withMediaLine(plain, { protocol: 'TCP/TLS/MSRP' }), 'fingerprint', fingerprint);
    return faults.omitIndication === true ? secured : withAttribute(secured, '3ge2ae', 'applied');
  }

  #checkAnswer(answer: MsrpMedia): void {
    const { kind, tls, offer } = this.#plan;
    const isTls = answer.protocol === 'TCP/TLS/MSRP';
    const expected = kind === 'bridge' ? tls.callee : offer.protocol === 'TCP/TLS/MSRP';
    if (isTls !== expected) fail('sdp.m', 'another transport than offered');
    if (answer.setup === 'actpass' || answer.setup === 'holdconn') fail('sdp.setup', 'no answer');
    // Without a fingerprint the gateway could not tell the UE from anybody else: fail closed.
    if (kind === 'bridge' && isTls && answer.fingerprints.length === 0) fail('sdp.fingerprint', 'missing');
  }

  async #run(answer: MsrpMedia): Promise<void> {
    const { log } = this.#tools;
    try {
      const [caller, callee] = await (this.#plan.kind === 'bridge' ? this.#bridge(answer) : this.#relay(answer));
      this.#join(caller, callee);
    } catch (error) {
      if (!this.#closed) log.log('warn', 'lab.gateway.failed', { problem: describeError(error) });
      this.close();
    }
  }

  #bridge(answer: MsrpMedia): Promise<[Duplex, Duplex]> {
    return Promise.all([this.#bridgeLeg('caller', this.#plan.offer), this.#bridgeLeg('callee', answer)]);
  }

  #bridgeLeg(side: Side, ue: MsrpMedia): Promise<Duplex> {
    const security: LegSecurity | undefined = this.#plan.tls[side]
      ? { certificate: this.#tools.certificate, peerFingerprints: ue.fingerprints }
      : undefined;
    const leg = this.#legs[side];
    return this.#roles?.[side] === 'active' ? leg.connect(addressOf(ue), security) : leg.accept(security);
  }

  /** The side that connects comes first; the other one is connected to when it is there. */
  async #relay(answer: MsrpMedia): Promise<[Duplex, Duplex]> {
    const { caller, callee } = this.#legs;
    if (this.#roles?.callee === 'passive') {
      const fromCallee = await callee.accept(undefined);
      return [await caller.connect(addressOf(this.#plan.offer), undefined), fromCallee];
    }
    const fromCaller = await caller.accept(undefined);
    return [fromCaller, await callee.connect(addressOf(answer), undefined)];
  }

  #join(caller: Duplex, callee: Duplex): void {
    const { recorder } = this.#tools;
    const names = [this.#legs.caller.name, this.#legs.callee.name];
    const what = this.#plan.kind === 'bridge' ? 'gateway, in clear' : 'gateway, relayed';
    const records = {
      fromFirst: recorder.open('insideEdge', `MSRP ${what}, ${names.join(' to ')}`),
      fromSecond: recorder.open('insideEdge', `MSRP ${what}, ${names.toReversed().join(' to ')}`),
    };
    joinStreams(caller, callee, records, () => this.close());
  }

  #refuse(section: MediaSection, why: string): MediaSection {
    this.#tools.log.log('info', 'lab.gateway.stream-refused', { why });
    this.close();
    return refusedMedia(section);
  }
}

function addressOf({ address, port }: MsrpMedia): SocketAddress {
  return { host: address, port };
}

function fail(field: string, problem: string): never {
  throw new ProtocolError('peer-misbehaved', problem, { field, hint: { sip: 488 } });
}
