import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ProtocolError } from '../base/errors.ts';
import { createCertificateAuthority } from '../crypto/certificate-authority.ts';
import { replaceFile } from '../node/whole-file.ts';
import { savedUserSchema } from './saved-user.ts';

const port = z.int().min(1).max(65_535);
const certificateSchema = z.strictObject({ certificatePem: z.string(), privateKeyPem: z.string() });
const edgePortsSchema = z.strictObject({ tcp: port, tls: port, ws: port, wss: port });

const stateSchema = z.strictObject({
  version: z.literal(1),
  caPem: z.string(),
  certificates: z.strictObject({ sip: certificateSchema, kms: certificateSchema, bsf: certificateSchema }),
  users: z.array(savedUserSchema),
  edges: z.array(edgePortsSchema),
  ports: z.strictObject({ kms: port, bsf: port }).partial(),
});

/** What makes a lab the same network after it was started again. */
export type LabState = z.output<typeof stateSchema>;
export type EdgePorts = z.output<typeof edgePortsSchema>;
export type IssuedCertificate = z.output<typeof certificateSchema>;

const fileName = 'lab.json';

/** Certificates of a lab that was never started before. Its CA's key is used here and forgotten. */
export async function createLabState(domain: string, now: number): Promise<LabState> {
  const authority = await createCertificateAuthority({ commonName: 'Tessera lab CA', now });
  const ipAddresses = ['127.0.0.1'];
  return {
    version: 1,
    caPem: authority.certificatePem,
    certificates: {
      sip: await authority.issue({ dnsNames: [domain, 'localhost'], ipAddresses }),
      kms: await authority.issue({ dnsNames: [`kms.${domain}`, 'localhost'], ipAddresses }, { alsoClient: true }),
      bsf: await authority.issue({ dnsNames: [`bsf.${domain}`], ipAddresses }),
    },
    users: [],
    edges: [],
    ports: {},
  };
}

/** The state in that folder, which is made when it is not there; a new one for an empty folder. */
export async function readLabState(folder: string, domain: string, now: number): Promise<LabState> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, fileName);
  const text = await readOwnFile(path);
  if (text === undefined) return createLabState(domain, now);
  const parsed = stateSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw wrongState(`${path} is not a lab's: ${issue?.path.map(String).join('.') ?? ''}`);
}

/** Durable when it resolves. The file holds passwords and keys: only its owner may read it. */
export async function writeLabState(folder: string, state: LabState): Promise<void> {
  await replaceFile(join(folder, fileName), `${JSON.stringify(state, undefined, 2)}\n`);
}

async function readOwnFile(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path);
    // Windows has no such bits: there the folder's access list decides.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) throw wrongState(`others can read ${path}`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function wrongState(problem: string): ProtocolError {
  return new ProtocolError('local', problem, {
    field: 'lab.state',
    expected: 'a folder that a lab has written, or none',
  });
}
