import { ProtocolError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { secureRandom } from '../../crypto/random.ts';
import { decodeZnQuestion, encodeZnAnswer, zn } from '../../kms/http/zn-format.ts';
import { systemClock } from '../../node/system-clock.ts';
import { exportTlsKey } from '../../node/tls-exporter.ts';
import { RecordingForwarder } from '../recording-forwarder.ts';
import type { WireRecorder } from '../wire-recorder.ts';
import { Bsf, type BsfSubscribers, type UbAnswer } from './bsf.ts';
import { startHttpsService, type ServiceAnswer, type ServiceQuestion } from './https-service.ts';

export interface LabBsf {
  /** Where UEs bootstrap. */
  readonly url: string;
  /** What its certificate proves. */
  readonly name: string;
  /** Where NAFs ask, with a certificate of the lab's authority. */
  readonly znUrl: string;
  readonly bsf: Bsf;
  stop(): Promise<void>;
}

export interface LabBsfOptions {
  readonly name: string;
  /** Of the home network. */
  readonly domain: string;
  readonly subscribers: BsfSubscribers;
  readonly tls: { readonly certificatePem: string; readonly privateKeyPem: string };
  /** PEM: whose certificates NAFs must have. */
  readonly nafAuthority: string;
  readonly recorder: WireRecorder;
  readonly log: Logger;
  /** Of Ub; 0 for a free one. */
  readonly port: number;
  /** Changes what UEs are answered: for rehearsals of a BSF that is somebody else's. */
  readonly rewrite?: (answer: UbAnswer) => UbAnswer;
}

const host = '127.0.0.1';

/** A BSF over HTTPS on loopback: Ub behind a port that records what passes, Zn over mutual TLS. */
export async function startLabBsf(options: LabBsfOptions): Promise<LabBsf> {
  const { name, domain, subscribers, tls, nafAuthority, recorder, log, rewrite } = options;
  const bsf = new Bsf({ name, domain, subscribers, clock: systemClock, random: secureRandom, log });
  const started: { stop(): Promise<void> }[] = [];
  const stop = async (): Promise<void> => {
    for (const part of started.reverse()) await part.stop();
  };
  try {
    const ub = await startHttpsService({
      tls,
      port: 0,
      // A GET: TS 24.109 sends nothing in it.
      maxBodyOctets: 0,
      answer: (question) => {
        const answer = bsf.handle(ubQuestion(question));
        return rewrite?.(answer) ?? answer;
      },
    });
    started.push(ub);
    const naf = await startHttpsService({
      tls,
      port: 0,
      clientAuthority: nafAuthority,
      maxBodyOctets: zn.maxBodyOctets,
      answer: (question) => answerNaf(bsf, question),
    });
    started.push(naf);
    const forwarder = await RecordingForwarder.start('BSF', options.port, { host, port: ub.port }, recorder);
    started.push(forwarder);
    return { url: `https://${host}:${forwarder.port}/`, name, znUrl: `https://${host}:${naf.port}`, bsf, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function ubQuestion({ method, target, headers, socket }: ServiceQuestion) {
  return {
    method,
    target,
    authorization: headers.authorization,
    userAgent: headers['user-agent'],
    exportKey: (label: string, length: number) => exportTlsKey(socket, label, length),
  };
}

function answerNaf(bsf: Bsf, { method, target, headers, body, socket }: ServiceQuestion): ServiceAnswer {
  const empty = (status: number): ServiceAnswer => ({ status, headers: {}, body: new Uint8Array() });
  if (target !== zn.path) return empty(404);
  if (method !== 'POST') return empty(405);
  if (headers['content-type'] !== zn.contentType) return empty(415);
  try {
    const answer = bsf.keyForNaf(decodeZnQuestion(body), provenNames(socket.getPeerCertificate().subjectaltname));
    if (answer === 'forbidden') return empty(403);
    const told = encodeZnAnswer(answer);
    answer?.key.dispose();
    return { status: 200, headers: { 'Content-Type': zn.contentType }, body: told };
  } catch (error) {
    if (error instanceof ProtocolError) return empty(400);
    throw error;
  }
}

/** The DNS names of a certificate whose chain the handshake has proven. */
function provenNames(alternativeNames: string | undefined): readonly string[] {
  // Node quotes a name that holds anything unusual: that is none of ours.
  return (alternativeNames ?? '')
    .split(', ')
    .filter((name) => /^DNS:[A-Za-z0-9.-]+$/.test(name))
    .map((name) => name.slice('DNS:'.length));
}
