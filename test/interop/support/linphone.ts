import { mkdirSync, readFileSync, existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { PeerProcess } from './peer-process.ts';

export interface LinphoneOptions {
  readonly user: string;
  readonly password: string;
  readonly domain: string;
  /** `sip:127.0.0.1:5060;transport=tcp` */
  readonly proxy: string;
  readonly algorithm: 'MD5' | 'SHA-256';
  /** PEM certificates that it trusts for TLS. */
  readonly trustedCa?: string;
  /** Whether texts go in CPIM, with IMDN asked for. */
  readonly cpim: boolean;
  readonly within: readonly string[];
}

/** linphone-daemon with one account, driven by its pipe and read by its log. */
export class Linphone {
  readonly #process: PeerProcess;
  readonly #pipe: string;
  readonly #log: string;

  private constructor(process: PeerProcess, pipe: string, log: string) {
    this.#process = process;
    this.#pipe = pipe;
    this.#log = log;
  }

  static start(options: LinphoneOptions): Linphone {
    const folder = temporaryFolder('linphone');
    const file = (name: string): string => join(folder, name);
    mkdirSync(file('.local/share/linphone'), { recursive: true });
    mkdirSync(file('.config/linphone'), { recursive: true });
    if (options.trustedCa !== undefined) writeFileSync(file('ca.pem'), options.trustedCa);
    writeFileSync(file('rc'), configuration(options, file('ca.pem')));
    const [program = '', ...parameters] = [
      ...options.within,
      'env',
      `HOME=${folder}`,
      'linphone-daemon',
      ...['--factory-config', '/dev/null', '--config', file('rc'), '--pipe', file('pipe'), '--log', file('log')],
    ];
    return new Linphone(new PeerProcess(program, parameters), file('pipe'), file('log'));
  }

  get log(): string {
    return existsSync(this.#log) ? readFileSync(this.#log, 'utf8') : '';
  }

  /** The first match in its log. Rejects with the end of the log when it does not come. */
  async waitFor(pattern: RegExp, milliseconds = 30_000): Promise<RegExpExecArray> {
    for (const end = Date.now() + milliseconds; Date.now() < end;) {
      const match = pattern.exec(this.log);
      if (match !== null) return match;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`linphone said no ${String(pattern)}:\n${this.log.slice(-4_000)}${this.#process.errors}`);
  }

  /** Gives a command to its pipe; resolves with its answer. */
  command(line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#pipe);
      let answer = '';
      socket.once('error', reject);
      socket.once('connect', () => socket.write(`${line}\n`));
      socket.on('data', (bytes: Buffer) => {
        answer += bytes.toString('utf8');
        if (/^Status: \w+/m.test(answer)) {
          socket.destroy();
          resolve(answer);
        }
      });
    });
  }

  stop(): void {
    this.#process.stop();
  }
}

function configuration(options: LinphoneOptions, caFile: string): string {
  const { user, password, domain, proxy, algorithm, trustedCa, cpim } = options;
  return `[sip]
sip_port=-1
sip_tcp_port=-1
sip_tls_port=-1
default_proxy=0
verify_server_certs=1
${trustedCa === undefined ? '' : `root_ca=${caFile}`}
[app]
[auth_info_0]
username=${user}
userid=${user}
passwd=${password}
realm=${domain}
domain=${domain}
algorithm=${algorithm}
[proxy_0]
reg_proxy=<${proxy}>
reg_route=<${proxy}>
reg_identity="${user}" <sip:${user}@${domain}>
reg_expires=3600
reg_sendregister=1
publish=0
cpim_in_basic_chat_rooms_enabled=${cpim ? 1 : 0}
`;
}
