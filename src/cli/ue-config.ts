import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { fromHex, utf8 } from '../base/bytes.ts';
import { policies } from '../base/protection-level.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import type { AccountConfig, AccountSecrets } from '../engine/account-config.ts';
import { profile } from '../protocol/profile.ts';

const policy = z.enum(policies);
const sipUri = z.string().regex(/^sips?:[^\s@]+@[^\s@]+$/i, 'expected an address like sip:alice@example.org');

/** The JSON file of `npm run ue -- --config FILE`; docs/ue-rpc.md describes it. */
export const ueConfigSchema = z.strictObject({
  identity: sipUri,
  privateIdentity: z.string().min(1),
  displayName: z.string().optional(),
  domain: z.string().min(1),
  password: z.string(),
  server: z.strictObject({
    host: z.string().min(1),
    port: z.int().min(1).max(65535),
    transport: z.enum(['tls', 'tcp']),
    serverName: z.string().optional(),
  }),
  /** PEM text, or the path of a PEM file, relative to the configuration file. */
  ca: z.string().optional(),
  kms: z
    .strictObject({
      url: z.url({ protocol: /^https$/ }),
      identity: z.string().min(1),
      pskId: z.string().min(1),
      psk: z.string().regex(/^([0-9a-fA-F]{2}){16,64}$/, 'expected 16 to 64 octets in hexadecimal'),
      suite: z.enum(['256', '128']).optional(),
      bodyEncoding: z.enum(['base64', 'binary']).optional(),
    })
    .optional(),
  policy: policy.optional(),
  contacts: z.record(sipUri, z.strictObject({ policy })).optional(),
  e2aeInferFromRegistration: z.boolean().optional(),
  mediasecOptionTag: z.boolean().optional(),
});
export type UeConfig = z.infer<typeof ueConfigSchema>;

/** A configuration that cannot be used; the message names the field. */
export class UeConfigError extends Error {
  override readonly name = 'UeConfigError';
}

/** Reads the file and the CA file that it names. @throws UeConfigError */
export async function readUeConfig(file: string): Promise<UeConfig> {
  const config = checkUeConfig(parseJson(await readText(file)));
  if (config.ca === undefined || isPem(config.ca)) return config;
  return { ...config, ca: await readText(resolve(dirname(file), config.ca)) };
}

/** @throws UeConfigError naming the first wrong field, never its value. */
export function checkUeConfig(value: unknown): UeConfig {
  const checked = ueConfigSchema.safeParse(value);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0];
  throw new UeConfigError(`${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'not valid'}`);
}

/** `ca` must be PEM text here. */
export function accountFromUeConfig(config: UeConfig): { config: AccountConfig; secrets: AccountSecrets } {
  const { server, kms, ca } = config;
  const trusted = ca === undefined ? {} : { trustedCa: ca };
  const account: AccountConfig = {
    id: config.identity,
    identity: config.identity,
    privateIdentity: config.privateIdentity,
    ...(config.displayName === undefined ? {} : { displayName: config.displayName }),
    domain: config.domain,
    server: {
      host: server.host,
      port: server.port,
      protocol: server.transport,
      serverName: server.serverName ?? config.domain,
      ...trusted,
    },
    ...(kms === undefined
      ? {}
      : {
          kms: {
            address: { url: kms.url, bodyEncoding: kms.bodyEncoding ?? profile.kms.bodyEncoding, ...trusted },
            identity: kms.identity,
            credential: { mode: 'static-psk', pskId: kms.pskId },
            suite: kms.suite ?? '256',
          },
        }),
    policy: config.policy ?? 'prefer-e2e',
    contactPolicies: Object.fromEntries(
      Object.entries(config.contacts ?? {}).map(([contact, { policy: demanded }]) => [contact, demanded]),
    ),
    ...(config.e2aeInferFromRegistration === undefined
      ? {}
      : { e2aeInferFromRegistration: config.e2aeInferFromRegistration }),
    ...(config.mediasecOptionTag === undefined ? {} : { mediasecOptionTag: config.mediasecOptionTag }),
  };
  const password = new SecretBytes(utf8(config.password));
  const secrets = kms === undefined ? { password } : { password, kmsPsk: new SecretBytes(fromHex(kms.psk)) };
  return { config: account, secrets };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    throw new UeConfigError(`cannot read ${file}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UeConfigError('the configuration is not JSON');
  }
}

function isPem(text: string): boolean {
  return text.trimStart().startsWith('-----BEGIN');
}
