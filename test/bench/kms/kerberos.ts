import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createSocket } from 'node:dgram';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startPinned, type PinnedProcess } from '../support/pinned-process.ts';

const run = promisify(execFile);
const realm = 'BENCH.TEST';
const kdcProgram = '/usr/sbin/krb5kdc';
const rounds = 1500;
const driverSource = new URL('kerberos-driver.c', import.meta.url).pathname;

export interface KerberosFigures {
  /** AS-REQ and TGS-REQ pairs, by the wall clock, one client that waits for each answer. */
  readonly pairsPerSecond: number;
  /** The same by the processor time of the KDC alone: what a full core would do. */
  readonly pairsPerCoreSecond: number;
}

/** Debian's krb5-kdc on loopback with a realm of its own; a string says why it could not be run. */
export async function measureKerberos(core: number): Promise<KerberosFigures | string> {
  const missing = [kdcProgram, '/usr/sbin/kadmin.local', '/usr/sbin/kdb5_util'].find((program) => !existsSync(program));
  if (missing !== undefined) return `${missing} is absent (packages krb5-kdc, krb5-admin-server)`;
  const folder = await mkdtemp(join(tmpdir(), 'bench-kerberos-'));
  let kdc: PinnedProcess | undefined;
  try {
    const env = await makeRealm(folder);
    const driver = join(folder, 'driver');
    try {
      await run('cc', ['-O2', '-o', driver, driverSource, '-lkrb5']);
    } catch {
      return 'the driver does not compile (packages gcc, libkrb5-dev)';
    }
    kdc = await startPinned(core, kdcProgram, ['-n'], { env, isReady: () => isPrepared(env) });
    const ask = async (count: number): Promise<number> =>
      Number(
        (await run(driver, [`alice@${realm}`, join(folder, 'alice.keytab'), `kms/bob@${realm}`, `${count}`], { env }))
          .stdout,
      );
    await ask(200);
    const before = kdc.cpuSeconds();
    const seconds = await ask(rounds);
    const used = kdc.cpuSeconds() - before;
    return { pairsPerSecond: rounds / seconds, pairsPerCoreSecond: rounds / used };
  } finally {
    await kdc?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function makeRealm(folder: string): Promise<NodeJS.ProcessEnv> {
  const port = await freeUdpPort();
  const profile = join(folder, 'krb5.conf');
  const kdcProfile = join(folder, 'kdc.conf');
  await writeFile(
    profile,
    `[libdefaults]\n default_realm = ${realm}\n dns_lookup_kdc = false\n rdns = false\n udp_preference_limit = 100000\n` +
      `[realms]\n ${realm} = {\n  kdc = 127.0.0.1:${port}\n }\n[logging]\n kdc = FILE:/dev/null\n`,
  );
  await writeFile(
    kdcProfile,
    `[kdcdefaults]\n kdc_listen = 127.0.0.1:${port}\n kdc_tcp_listen = ""\n` +
      `[realms]\n ${realm} = {\n  database_name = ${folder}/principal\n  key_stash_file = ${folder}/stash\n` +
      `  acl_file = ${folder}/acl\n  supported_enctypes = aes256-cts:normal\n  master_key_type = aes256-cts\n }\n`,
  );
  const env = { ...process.env, KRB5_CONFIG: profile, KRB5_KDC_PROFILE: kdcProfile };
  await run('/usr/sbin/kdb5_util', ['create', '-s', '-r', realm, '-P', 'bench'], { env });
  const admin = (query: string): Promise<unknown> => run('/usr/sbin/kadmin.local', ['-r', realm, '-q', query], { env });
  await admin('addprinc -randkey alice');
  await admin('addprinc -randkey kms/bob');
  await admin(`ktadd -k ${join(folder, 'alice.keytab')} alice`);
  return env;
}

/** The KDC prints nothing when it listens; it is ready when a client gets its ticket. */
async function isPrepared(env: NodeJS.ProcessEnv): Promise<boolean> {
  const folder = env['KRB5_CONFIG']?.replace(/\/krb5\.conf$/, '') ?? '';
  try {
    await run(join(folder, 'driver'), [`alice@${realm}`, join(folder, 'alice.keytab'), `kms/bob@${realm}`, '1'], {
      env,
    });
    return true;
  } catch {
    return false;
  }
}

function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}
