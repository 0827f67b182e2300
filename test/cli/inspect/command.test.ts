import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

import { readInspectArguments, UsageError } from '../../../src/cli/inspect/arguments.ts';
import { toPemCertificates } from '../../../src/crypto/pem.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { hex, vectors } from '../../protocol/mikey/vectors.ts';

const script = fileURLToPath(new URL('../../../src/cli/inspect.ts', import.meta.url));
const { inputs, messages, sdp } = vectors.scenarios[0]!;
const psk = inputs['psk_initiator']!;
const folder = temporaryFolder('inspect');

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

interface Ended {
  readonly status: number | string | null | undefined;
  readonly output: string;
  readonly errors: string;
}

function run(args: readonly string[], input = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [script, ...args], (error, output, errors) =>
      resolve({ status: error === null ? 0 : error.code, output, errors }),
    );
    child.stdin?.end(input);
  });
}

describe('npm run inspect', { timeout: 60_000 }, () => {
  it('ends with 0 when everything could be read, and gives JSON', async () => {
    const { status, output } = await run([messages['request_init']!, '--json', '--psk', `@${file('psk', psk)}`]);
    expect(status).toBe(0);
    expect(JSON.parse(output)).toMatchObject({
      version: 1,
      whole: true,
      item: {
        format: 'MIKEY message',
        where: 'argument, hex',
        stops: [],
        findings: [{ subject: 'V of REQUEST_INIT_PSK', result: 'verified' }],
        contains: [],
      },
    });
    expect(output).not.toContain(psk);
  });

  it('ends with 1 when reading stopped, and says where; text without colour where there is no terminal', async () => {
    const { status, output } = await run(['-'], sdp['transfer_init']!.slice(0, -30));
    expect(status).toBe(1);
    expect(output).toMatch(/^ {2}Stopped at offset \d+, MIKEY\./m);
    expect(output).not.toContain('\u001b');
  });

  it('ends with 2 for wrong arguments, in one line', async () => {
    for (const args of [[], ['a', 'b'], ['--colour'], ['0a', '--psk', 'secret-word']]) {
      const { status, errors, output } = await run(args);
      expect({ args, status, output }).toEqual({ args, status: 2, output: '' });
      expect(errors).toMatch(/^[^\n]+\n$/);
      expect(errors).not.toContain('secret-word');
    }
  });

  it('tells how it is used', async () => {
    const { status, output } = await run(['--help']);
    expect(status).toBe(0);
    expect(output).toContain('npm run inspect');
    expect(output).toContain('@FILE');
  });
});

describe('the arguments', () => {
  const read = (...args: readonly string[]) => {
    const found = readInspectArguments(args, 5);
    if (found === 'help') throw new Error('help');
    return found;
  };

  it('take keys as digits, as a file of digits and as a file of octets', () => {
    const texts = [psk, `@${file('hex-key', `${psk}\n`)}`, `@${file('binary-key', hex(psk))}`];
    for (const text of texts) {
      const { options } = read('00', '--psk', text, '--mpk', text, '--mpk', text, '--tpk', text);
      expect(options.mpks).toHaveLength(2);
      for (const key of [options.psk, options.tpk, ...(options.mpks ?? [])]) {
        expect(key?.use((octets) => [...octets])).toEqual([...hex(psk)]);
      }
    }
  });

  it('find the request inside whatever holds it', () => {
    const whole = hex(messages['transfer_init']);
    for (const text of [messages['transfer_init']!, sdp['transfer_init']!, file('request', whole)]) {
      expect(read('00', '--request', text).options.request).toEqual(whole);
    }
    expect(() => read('00', '--request', 'nothing')).toThrow('--request holds no MIKEY message');
  });

  it('read the input from a file, binary or text', () => {
    const path = file('message.bin', hex(messages['transfer_init']));
    expect(read(path)).toMatchObject({ where: path, input: hex(messages['transfer_init']) });
    expect(() => read(folder)).toThrow(UsageError);
  });

  it('take the private key of a KMS and trust anchors from PEM files', () => {
    const pk = vectors.scenarios.find(({ name }) => name.startsWith('pk-'))!;
    const keyFile = file('kms.key', pk.inputs['kms_private_pem']!);
    const anchorsFile = file('anchors.pem', toPemCertificates([hex(pk.inputs['cert_initiator'])]));
    const { options } = read('00', '--kms-key', keyFile, '--anchors', anchorsFile);
    expect(options.kmsKey?.publicKey.modulusOctets).toBe(256);
    expect(options.anchors?.size).toBe(1);
    for (const [option, name] of [
      ['--kms-key', join(folder, 'absent')],
      ['--kms-key', anchorsFile],
      ['--anchors', join(folder, 'absent')],
      ['--anchors', keyFile],
      ['--anchors', file('octets', Uint8Array.of(0xff, 0xfe))],
    ] as const) {
      expect(() => read('00', option, name)).toThrow(UsageError);
      expect(() => read('00', option, name)).toThrow(new RegExp(`^${option}`));
    }
  });

  it('refuse what they do not know', () => {
    for (const args of [
      ['00', '--as', 'tape'],
      ['00', '--now', 'soon'],
      ['00', '--tpk', '@absent'],
      ['00', '--psk', '0102'],
    ]) {
      expect(() => read(...args)).toThrow(UsageError);
    }
    expect(read('00', '--now', '2026-01-01T00:00:00Z').options.now).toBe(Date.UTC(2026, 0, 1));
    expect(read('00').options).toMatchObject({ now: 5, showKeys: false });
    expect(readInspectArguments(['--help'], 0)).toBe('help');
  });
});
