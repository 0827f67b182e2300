import { resolve } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { readPemCertificates } from '../../crypto/pem.ts';
import { uaProtocolKms } from '../../protocol/gba/index.ts';
import type { SubscriberSource } from '../directory.ts';
import { createGbaSubscribers } from '../gba-subscribers.ts';
import { ServedCertificate, type CertificateFiles } from './served-certificate.ts';
import { readTextFile } from './text-file.ts';
import { createZnClient, type ZnClientOptions } from './zn-client.ts';

const hostName = z.string().regex(/^[A-Za-z0-9.-]{1,253}$/, 'the name of a host');
const text = z.string().min(1);

/** The part of the configuration that makes the KMS a NAF of a network's BSF; paths are relative to the file. */
export const gbaConfigShape = {
  gba: z
    .strictObject({
      bsfUrl: z.url({ protocol: /^https$/ }),
      bsfServerName: hostName.optional(),
      bsfDomain: hostName,
      nafFqdn: hostName,
      tls: z.strictObject({ certificateFile: text, privateKeyFile: text }).optional(),
      trustedCaFile: text.optional(),
    })
    .optional(),
};

export type GbaConfigText = NonNullable<z.output<z.ZodObject<typeof gbaConfigShape>>['gba']>;

/** Checked, with absolute paths. */
export interface GbaConfig extends Pick<ZnClientOptions, 'server' | 'bsfDomain' | 'nafFqdn'> {
  /** Of the certificate that proves the NAF to the BSF. */
  readonly certificateFiles: CertificateFiles;
}

/**
 * @param ownCertificate what the KMS presents to UEs: it serves towards the BSF too unless another one is named.
 * @throws ProtocolError `local`, for a file that holds no certificate `malformed`, that names the field which is wrong.
 */
export async function readGbaConfig(
  given: GbaConfigText,
  ownCertificate: CertificateFiles,
  folder: string,
): Promise<GbaConfig> {
  const { bsfUrl, bsfServerName, bsfDomain, nafFqdn, tls, trustedCaFile } = given;
  const beside = (file: string): string => resolve(folder, file);
  return {
    server: {
      url: bsfUrl,
      ...(bsfServerName === undefined ? {} : { serverName: bsfServerName }),
      ...(trustedCaFile === undefined ? {} : { trustedCa: await readAuthorities(beside(trustedCaFile)) }),
    },
    bsfDomain,
    nafFqdn,
    certificateFiles:
      tls === undefined
        ? ownCertificate
        : { certificateFile: beside(tls.certificateFile), privateKeyFile: beside(tls.privateKeyFile) },
  };
}

/** Subscribers of a network, and the certificate with which they are asked for. */
export interface GbaSource {
  readonly source: SubscriberSource;
  readonly certificate: ServedCertificate;
}

/** @throws ProtocolError `local` for a certificate that cannot be used. */
export async function openGbaSource(
  config: GbaConfig,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<GbaSource> {
  const { certificateFiles, ...client } = config;
  const certificate = await ServedCertificate.load(certificateFiles, { clock, log, field: 'kms.config.gba.tls' });
  const naf = createZnClient({ ...client, uaProtocolId: uaProtocolKms, certificate });
  return { source: createGbaSubscribers({ source: naf, clock, log }), certificate };
}

async function readAuthorities(file: string): Promise<string> {
  const field = 'kms.config.gba.trustedCaFile';
  const pem = await readTextFile(file, field);
  readPemCertificates(pem, field);
  return pem;
}
