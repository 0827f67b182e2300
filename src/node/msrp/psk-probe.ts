import { duplexPair } from 'node:stream';
import { connect, TLSSocket } from 'node:tls';
import { profile } from '../../protocol/profile.ts';
import { createPskContext } from './tls-setup.ts';

/** OpenSSL may keep the CBC-SHA suites above its security level; BoringSSL does not know the word and refuses it. */
const lowerSecurityLevel = ':@SECLEVEL=0';
const probeMilliseconds = 2_000;

/**
 * Finds out by handshakes with ourselves which suites of the profile this TLS library really does.
 * @returns a `ciphers` string, or undefined when there is none.
 */
export async function probePskCiphers(): Promise<string | undefined> {
  const working: string[] = [];
  let suffix = '';
  for (const suite of profile.msrpTls.pskSuites) {
    if (await shakesHands(suite)) working.push(suite);
    else if (await shakesHands(suite + lowerSecurityLevel)) {
      working.push(suite);
      suffix = lowerSecurityLevel;
    }
  }
  return working.length === 0 ? undefined : working.join(':') + suffix;
}

async function shakesHands(ciphers: string): Promise<boolean> {
  const key = Buffer.alloc(32, 1);
  const [near, far] = duplexPair();
  const sockets: TLSSocket[] = [];
  try {
    const secureContext = createPskContext(ciphers);
    const client = connect({
      socket: near,
      secureContext,
      pskCallback: () => ({ psk: key, identity: 'probe' }),
      checkServerIdentity: () => undefined,
    });
    sockets.push(client);
    // Server sockets made by hand take it as tls.Server does; the type declarations name it for clients only.
    const server = new TLSSocket(far, { isServer: true, secureContext, ...{ pskCallback: () => key } });
    sockets.push(server);
    return await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), probeMilliseconds);
      const finish = (works: boolean): void => {
        clearTimeout(timer);
        resolve(works);
      };
      client.once('secureConnect', () => finish(true));
      for (const socket of sockets) socket.once('error', () => finish(false)).once('close', () => finish(false));
    });
  } catch {
    return false;
  } finally {
    for (const socket of sockets) socket.on('error', () => undefined).destroy();
  }
}
