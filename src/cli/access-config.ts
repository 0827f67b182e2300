import { z } from 'zod';
import type { AccountConfig, SipServerConfig } from '../engine/account-config.ts';
import { serverConfig, serverProblem, storedServerSchema } from './server-config.ts';

const milliseconds = z.int().min(1).max(86_400_000);

/** How an account uses its network, beside the server itself; each may be left out. */
export const accessFields = {
  /** Another server of the network, for a second flow; it is shown the client certificate of the first. */
  secondServer: storedServerSchema.omit({ clientCertificate: true }).optional(),
  /** As which of its identities the account sends requests. */
  preferredIdentity: z
    .string()
    .regex(/^(?:sips?|tel):[^\s<>"]+$/i, 'expected an address like sip:alice@example.org or tel:+49301234')
    .optional(),
  /** Value of P-Access-Network-Info. */
  accessNetworkInfo: z
    .string()
    .regex(/^[\x21-\x7e][\x20-\x7e]{0,199}$/, 'expected one line of at most 200 characters')
    .optional(),
  /** Pauses before a flow that was lost is made again. */
  flowRecovery: z.strictObject({ allFailed: milliseconds, someFailed: milliseconds, longest: milliseconds }).optional(),
} as const;
type Access = z.infer<z.ZodObject<typeof accessFields>>;

/** The wrong field below `secondServer` and what is wrong. */
export function accessProblem({ secondServer }: Access): readonly [field: string, problem: string] | undefined {
  return secondServer && serverProblem(secondServer);
}

export function accessConfig(
  { secondServer, preferredIdentity, accessNetworkInfo, flowRecovery }: Access,
  domain: string,
  trusted: { readonly trustedCa?: string },
  { clientCertificates }: SipServerConfig,
): Partial<AccountConfig> {
  const certificates = clientCertificates === undefined ? {} : { clientCertificates };
  return {
    ...(secondServer === undefined
      ? {}
      : { secondServer: { ...serverConfig(secondServer, domain, trusted), ...certificates } }),
    ...(preferredIdentity === undefined ? {} : { preferredIdentity }),
    ...(accessNetworkInfo === undefined ? {} : { accessNetworkInfo }),
    ...(flowRecovery === undefined ? {} : { flowRecovery }),
  };
}
