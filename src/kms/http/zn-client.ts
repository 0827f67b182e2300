import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ProtocolError } from '../../base/errors.ts';
import {
  explainHttpsFailure,
  httpsUrl,
  readBoundedBody,
  serverTlsOptions,
  type HttpsServer,
} from '../../node/https-client.ts';
import type { NafKey, NafKeySource } from '../naf-keys.ts';
import { decodeZnAnswer, encodeZnQuestion, zn } from './zn-format.ts';

export interface ZnClientOptions {
  /** Where the BSF answers NAFs. Its certificate must prove its name. */
  readonly server: HttpsServer;
  /** What B-TIDs of this BSF end with. */
  readonly bsfDomain: string;
  /** The name of this NAF, which its certificate must carry. */
  readonly nafFqdn: string;
  /** Ua security protocol identifier (TS 33.220 annex H): 5 octets. */
  readonly uaProtocolId: Uint8Array;
  /** This NAF's own certificate for mutual TLS, read anew for each question. */
  readonly certificate: { readonly identity: { readonly certificatePem: string; readonly privateKeyPem: string } };
  readonly timeoutMilliseconds?: number;
}

/** Asks a BSF for the keys of this NAF (reference point Zn) over mutual TLS. A connection is made for each question: there are few. */
export function createZnClient(options: ZnClientOptions): NafKeySource {
  httpsUrl(options.server, 'zn.url');
  return { bsfDomain: options.bsfDomain, ask: (btid) => ask(options, btid) };
}

async function ask(options: ZnClientOptions, btid: string): Promise<NafKey | undefined> {
  const { nafFqdn, uaProtocolId, timeoutMilliseconds = zn.timeoutMilliseconds } = options;
  const signal = AbortSignal.timeout(timeoutMilliseconds);
  const body = encodeZnQuestion({ btid, nafFqdn, uaProtocolId });
  try {
    const response = await post(options, body, signal);
    const answer = await readBoundedBody(response, zn.maxBodyOctets, 'zn.body');
    if (response.statusCode !== 200) {
      throw new ProtocolError('peer-misbehaved', `HTTP status ${String(response.statusCode)}`, {
        field: 'zn.status',
        expected: '200',
      });
    }
    const key = decodeZnAnswer(answer);
    answer.fill(0);
    return key;
  } catch (error) {
    throw explainHttpsFailure(error, signal.aborted, 'zn');
  }
}

function post(options: ZnClientOptions, body: Uint8Array, signal: AbortSignal): Promise<IncomingMessage> {
  const url = httpsUrl(options.server, 'zn.url');
  url.pathname = `${url.pathname.replace(/\/$/, '')}${zn.path}`;
  return new Promise((resolve, reject) => {
    const asked = httpsRequest(url, {
      method: 'POST',
      agent: false,
      signal,
      ...serverTlsOptions(url, options.server),
      cert: options.certificate.identity.certificatePem,
      key: options.certificate.identity.privateKeyPem,
      headers: { 'Content-Type': zn.contentType, 'Content-Length': body.length, 'Cache-Control': 'no-store' },
    });
    asked.on('response', resolve);
    asked.on('error', reject);
    asked.end(body);
  });
}
