import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../../src/base/bytes.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { computeOpc } from '../../src/protocol/gba/index.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { needing } from '../support/needs/needs.ts';
import { lackOfSipp } from './support/sipp.ts';

// SIPp has its own Milenage, checks AUTN, and knows OP instead of OPc. It hands its values through its own template language, so that
// keys of letters are the ones that survive.
const k = utf8('tessera-sim-key0');
const op = utf8('operator-variant');
const otherK = utf8('tessera-sim-key1');

let lab: Lab | undefined;
afterEach(async () => {
  await lab?.stop();
  lab = undefined;
});

describe('AKAv1-MD5 with SIPp', needing(lackOfSipp()), () => {
  it('registers its SIM, many times', async () => {
    const { target } = await start(k);
    expect(await sipp(target, k, 100)).toMatchObject({ code: 0, registered: 100 });
  });

  it('does not take our AUTN under another K', async () => {
    const { target, recorder } = await start(otherK);
    const outcome = await sipp(target, k, 1);
    expect(outcome.code).not.toBe(0);
    expect(outcome.errors).toMatch(/Server might not know the secret/);
    expect(recorder.find('response="').insideEdge.count).toBe(0);
  });
});

async function start(key: Uint8Array) {
  const secret = new SecretBytes(key);
  const sims = { alice: { k: secret, opc: computeOpc(secret, new SecretBytes(op)) } };
  lab = await startLab({ authentication: { alice: 'aka' }, sims });
  const { host, port } = lab.sip.tcp;
  return { target: `${host}:${port}`, recorder: lab.recorder };
}

function sipp(target: string, key: Uint8Array, calls: number) {
  const folder = temporaryFolder('sipp');
  const file = (name: string): string => join(folder, name);
  writeFileSync(file('register.xml'), scenario(key));
  const parameters = [
    '-sf',
    file('register.xml'),
    '-m',
    `${calls}`,
    '-r',
    '50',
    '-t',
    't1',
    '-i',
    '127.0.0.1',
    '-nostdin',
  ];
  parameters.push('-auth_uri', 'lab.test', '-timeout', '50s', '-trace_err', '-error_file', file('errors.log'), target);
  const child = spawn('sipp', parameters, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return new Promise<{ code: number | null; registered: number; errors: string }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      const [, registered = '0'] = /Successful call\s*\|\s*\d+\s*\|\s*(\d+)/.exec(text) ?? [];
      const errors = existsSync(file('errors.log')) ? readFileSync(file('errors.log'), 'utf8') : '';
      resolve({ code, registered: Number(registered), errors });
    });
  });
}

function scenario(key: Uint8Array): string {
  const register = (sequence: number, authentication = ''): string => `  <send><![CDATA[

REGISTER sip:lab.test SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:alice@lab.test>;tag=[call_number]
To: <sip:alice@lab.test>
Call-ID: [call_id]
CSeq: ${sequence} REGISTER
Contact: <sip:alice@[local_ip]:[local_port];transport=[transport]>
${authentication}Max-Forwards: 70
Content-Length: 0

]]></send>`;
  const sim = `aka_OP=0x${toHex(op)} aka_K=0x${toHex(key)} aka_AMF=0x0000`;
  return `<?xml version="1.0" encoding="UTF-8" ?>
<scenario name="register with a SIM">
${register(1)}
  <recv response="401" auth="true"/>
${register(2, `[authentication username=alice@lab.test password=x ${sim}]\n`)}
  <recv response="200"/>
</scenario>
`;
}
