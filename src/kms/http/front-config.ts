import { resolve } from 'node:path';
import { z } from 'zod';
import { fromHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { readPemCertificates } from '../../crypto/pem.ts';
import { readPeers, type KmsPeer } from '../peers.ts';
import { TrustedProxies } from './client-address.ts';
import type { ListenAddress, ShutdownTimes } from './kms-server.ts';
import { defaultLimits, type KmsLimits } from './limits.ts';
import type { CertificateFiles } from './served-certificate.ts';
import { readTextFile } from './text-file.ts';

const text = z.string().min(1);
const listen = z.strictObject({ host: text.default('127.0.0.1'), port: z.int().min(0).max(65535) });
const certificateFiles = z.strictObject({ certificateFile: text, privateKeyFile: text });
const count = z.int().min(1).max(1_000_000);
const rate = z.strictObject({ perSecond: z.number().positive().max(1_000_000), burst: count });

/** The part of the configuration that says how the KMS meets the network; paths are relative to the file. */
export const frontConfigShape = {
  listen,
  tls: certificateFiles,
  limits: z
    .strictObject({
      perUser: rate.default(defaultLimits.perUser),
      perPeer: rate.default(defaultLimits.perPeer),
      perAddress: rate.default(defaultLimits.perAddress),
      connectionsPerAddress: count.default(defaultLimits.connectionsPerAddress),
      newConnectionsPerAddress: rate.default(defaultLimits.newConnectionsPerAddress),
      maxKeys: count.default(defaultLimits.maxKeys),
    })
    .default(defaultLimits),
  connections: z
    .strictObject({ max: count.default(4096), keepAliveSeconds: z.int().min(1).max(3600).default(75) })
    .default({ max: 4096, keepAliveSeconds: 75 }),
  trustedProxies: z.array(text).default([]),
  proxyProtocol: z.boolean().default(false),
  management: listen.optional(),
  shutdown: z
    .strictObject({
      drainSeconds: z.int().min(0).max(600).default(0),
      graceSeconds: z.int().min(1).max(600).default(10),
    })
    .default({ drainSeconds: 0, graceSeconds: 10 }),
  peers: z
    .strictObject({
      listen: listen.optional(),
      tls: certificateFiles.optional(),
      trustedCaFile: text,
      kms: z
        .array(
          z.strictObject({
            identity: text,
            domains: z.array(text).default([]),
            numberPrefixes: z.array(text).default([]),
            pskId: text,
            psk: z.string().regex(/^[0-9a-fA-F]{64}$/, '64 hexadecimal digits'),
            url: text.optional(),
            certificateName: text.optional(),
          }),
        )
        .min(1),
    })
    .optional(),
};

export type FrontConfigText = z.output<z.ZodObject<typeof frontConfigShape>>;

/** Checked, with absolute paths. */
export interface FrontConfig {
  readonly listen: ListenAddress;
  readonly certificateFiles: CertificateFiles;
  readonly limits: KmsLimits;
  readonly connections: { readonly max: number; readonly keepAliveSeconds: number };
  readonly trustedProxies: readonly string[];
  readonly proxyProtocol: boolean;
  readonly management: ListenAddress | undefined;
  readonly shutdown: ShutdownTimes;
  readonly peers: PeersConfig | undefined;
}

export interface PeersConfig {
  /** Absent: other KMSs cannot ask us. */
  readonly listen: ListenAddress | undefined;
  /** Absent: the certificate for clients serves here too. */
  readonly certificateFiles: CertificateFiles | undefined;
  /** PEM. */
  readonly trustedCa: string;
  readonly peers: readonly KmsPeer[];
}

const wrongConfig = (problem: string, field: string, expected: string): ProtocolError =>
  new ProtocolError('local', problem, { field: `kms.config.${field}`, expected });

/**
 * @param identity the KMS's own.
 * @param folder that of the configuration file.
 * @throws ProtocolError `local` that names the field which is wrong, never its value.
 */
export async function readFrontConfig(given: FrontConfigText, identity: string, folder: string): Promise<FrontConfig> {
  const {
    listen: address,
    tls,
    limits,
    connections,
    trustedProxies,
    proxyProtocol,
    management,
    shutdown,
    peers,
  } = given;
  const proxies = new TrustedProxies(trustedProxies, 'kms.config.trustedProxies');
  if (proxyProtocol && proxies.isEmpty) {
    throw wrongConfig('nobody to believe it from', 'proxyProtocol', 'trustedProxies beside it');
  }
  return {
    listen: address,
    certificateFiles: filesBeside(tls, folder),
    limits,
    connections,
    shutdown,
    trustedProxies,
    proxyProtocol,
    management,
    peers: peers === undefined ? undefined : await readPeersConfig(peers, identity, folder),
  };
}

async function readPeersConfig(
  given: NonNullable<FrontConfigText['peers']>,
  identity: string,
  folder: string,
): Promise<PeersConfig> {
  const entries = given.kms.map(({ psk, url, certificateName, ...peer }) => ({
    ...peer,
    psk: new SecretBytes(fromHex(psk)),
    ...(url === undefined ? {} : { url }),
    ...(certificateName === undefined ? {} : { certificateName }),
  }));
  const trustedCa = await readCa(resolve(folder, given.trustedCaFile));
  if (given.listen === undefined && entries.every(({ url }) => url === undefined)) {
    throw wrongConfig('neither asks nor is asked', 'peers', 'listen, or a url for one of them');
  }
  return {
    listen: given.listen,
    certificateFiles: given.tls === undefined ? undefined : filesBeside(given.tls, folder),
    trustedCa,
    peers: readPeers(entries, identity, 'kms.config.peers.kms'),
  };
}

async function readCa(path: string): Promise<string> {
  const field = 'kms.config.peers.trustedCaFile';
  const pem = await readTextFile(path, field);
  readPemCertificates(pem, field);
  return pem;
}

const filesBeside = ({ certificateFile, privateKeyFile }: CertificateFiles, folder: string): CertificateFiles => ({
  certificateFile: resolve(folder, certificateFile),
  privateKeyFile: resolve(folder, privateKeyFile),
});
