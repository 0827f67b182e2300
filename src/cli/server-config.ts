import { resolve } from 'node:path';
import { z } from 'zod';
import { fromBase64, toBase64 } from '../base/bytes.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { readPemCertificates, toPemCertificates } from '../crypto/pem.ts';
import type { SipServerConfig } from '../engine/account-config.ts';
import { isTlsProtocol, sipProtocols } from '../protocol/sip/sip-protocol.ts';
import { readOwnCertificateFiles } from './ue-certificate.ts';

const path = z.string().min(1);

/** What proves us to the server, as a configuration file has it; paths are relative to that file. */
const clientCertificateFiles = z.strictObject({
  /** PEM (our own first, then its authorities), or PKCS #12 with the private key. */
  certificateFile: path,
  /** PEM; left out with PKCS #12. */
  privateKeyFile: path.optional(),
  /** Of the private key or the PKCS #12 file. */
  passphrase: z.string().optional(),
});
const namesFiles = z.looseObject({
  server: z.looseObject({ clientCertificate: z.looseObject({ certificateFile: z.unknown() }) }),
});

/** Without the private key of the client certificate, which is a secret. */
export const storedServerSchema = z.strictObject({
  /** The domain of the account when absent. */
  host: z.string().min(1).optional(),
  port: z.int().min(1).max(65535).optional(),
  /** The records of the host decide when absent. */
  transport: z.enum(sipProtocols).optional(),
  security: z.enum(['tls-only', 'any']).optional(),
  serverName: z.string().min(1).optional(),
  trust: z.enum(['system-or-ca', 'pin-on-first-use']).optional(),
  webSocketPath: z
    .string()
    .regex(/^\/[^\s#]*$/, 'expected a path like /ws')
    .optional(),
  clientCertificate: z.strictObject({ certificates: z.string().min(1) }).optional(),
});

/** With what the files hold. */
export const serverSchema = storedServerSchema.extend({
  clientCertificate: z
    .strictObject({
      /** PEM, our own first, each next one certifies the one before. */
      certificates: z.string().min(1),
      /** Base64 of PKCS #8. */
      privateKey: z.base64(),
    })
    .optional(),
});
type Server = z.infer<typeof serverSchema>;

/** What one field alone does not show: the wrong field and what is wrong. */
export function serverProblem({
  transport,
  security,
}: Pick<Server, 'transport' | 'security'>): readonly [field: string, problem: string] | undefined {
  if (security === 'tls-only' && transport !== undefined && !isTlsProtocol(transport)) {
    return ['security', 'this transport is not protected: expected tls or wss'];
  }
  return undefined;
}

/** @param trusted the authorities of the account, where it names them. @throws ProtocolError that names the field. */
export function serverConfig(
  { transport, clientCertificate, host, serverName, ...rest }: Server,
  domain: string,
  trusted: { readonly trustedCa?: string },
): SipServerConfig {
  return {
    ...withoutUndefined(rest),
    host: host ?? domain,
    serverName: serverName ?? domain,
    ...(transport === undefined ? {} : { protocol: transport }),
    ...trusted,
    ...(clientCertificate === undefined
      ? {}
      : {
          clientCertificates: readPemCertificates(
            clientCertificate.certificates,
            'server.clientCertificate.certificates',
          ),
        }),
  };
}

export function clientPrivateKey({ clientCertificate }: Server): SecretBytes | undefined {
  if (clientCertificate === undefined) return undefined;
  return new SecretBytes(fromBase64(clientCertificate.privateKey, 'server.clientCertificate.privateKey'));
}

/**
 * Replaces the files of the client certificate that a configuration names by their contents; any other configuration is given back as
 * it is. @throws Error that names the file or the setting; nothing of a private key or a passphrase is repeated.
 */
export async function withClientCertificateFiles(config: unknown, folder: string): Promise<unknown> {
  const naming = namesFiles.safeParse(config);
  if (!naming.success) return config;
  const { server } = naming.data;
  const field = 'server.clientCertificate';
  const checked = clientCertificateFiles.safeParse(server.clientCertificate);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    throw new Error(`${[field, ...(issue?.path ?? [])].join('.')}: ${issue?.message ?? 'not valid'}`);
  }
  const own = await readOwnCertificateFiles(checked.data, (file) => resolve(folder, file), field);
  const clientCertificate = {
    certificates: toPemCertificates(own.certificates),
    privateKey: own.privateKey.use(toBase64),
  };
  own.privateKey.dispose();
  return { ...naming.data, server: { ...server, clientCertificate } };
}

type Defined<T> = { [Key in keyof T]: Exclude<T[Key], undefined> };

function withoutUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Defined<T>;
}
