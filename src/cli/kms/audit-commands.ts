import { readKmsStorageConfig } from '../../kms/http/config-file.ts';
import { verifyAudit, type NotedHead } from '../../kms/audit-verify.ts';
import type { KmsStorage } from '../../kms/ports.ts';
import { headText, parseHead, readHeadFile } from '../../kms/storage/audit-head-file.ts';
import { openStorage } from '../../kms/storage/open-storage.ts';
import { UsageError, valueOf, type Arguments, type Command } from './command.ts';

const pageLines = 1000;

/** Reading the audit needs no key: an auditor does without the key-encryption key. */
async function withAudit(
  given: Arguments,
  action: (audit: KmsStorage['audit'], headFile: string) => Promise<number>,
): Promise<number> {
  const { storage } = await readKmsStorageConfig(given.config);
  const kms = await openStorage(storage);
  try {
    return await action(kms.audit, storage.auditHeadFile);
  } finally {
    await kms.close();
  }
}

const verify: Command = {
  synopsis: '[--head SEQUENCE:HASH]...',
  explanation: 'follows the chain, and compares it with the head kept aside and with heads that are given',
  options: ['head'],
  words: [0, 0],
  run: (given) =>
    withAudit(given, async (audit, headFile) => {
      const noted: NotedHead[] = (given.values.get('head') ?? []).map((text) => ({
        head: parseHead(text, 'head'),
        from: `--head ${text.slice(0, text.indexOf(':'))}`,
      }));
      const kept = await readHeadFile(headFile);
      if (kept !== undefined) noted.push({ head: kept, from: headFile });
      const result = await verifyAudit(audit, noted);
      if (result.verdict === 'broken') {
        given.printError(`The audit is broken at line ${result.sequence}: ${result.problem}`);
        return 1;
      }
      const compared =
        noted.length === 0
          ? 'no head kept aside to compare with'
          : `compared with ${noted.map(({ from }) => from).join(', ')}`;
      given.print(`The audit is whole: ${result.head.sequence} lines; ${compared}`);
      given.print(`head: ${headText(result.head)}`);
      return 0;
    }),
};

const list: Command = {
  synopsis: '[--json] [--after SEQUENCE]',
  explanation: 'shows the lines; --json gives them as they are chained, one a line, with their hash',
  options: ['after'],
  flags: ['json'],
  words: [0, 0],
  run(given) {
    const after = valueOf(given, 'after') ?? '0';
    if (!/^\d{1,15}$/.test(after)) throw new UsageError('--after takes the number of a line');
    return withAudit(given, async (audit) => {
      for (let last = Number(after); ;) {
        const lines = await audit.read(last, pageLines);
        for (const line of lines) {
          given.print(
            given.flags.has('json') ? exportLine(line.text, headText(line)) : readableLine(line.sequence, line.text),
          );
        }
        last = lines.at(-1)?.sequence ?? last;
        if (lines.length < pageLines) return 0;
      }
    });
  },
};

const exportLine = (text: string, head: string): string => JSON.stringify({ line: text, head });

function readableLine(sequence: number, text: string): string {
  try {
    const { time, action, outcome, ...rest } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const named = Object.entries(rest).filter(([name]) => name !== 'sequence');
    const details = named.map(([name, value]) => `${name}=${shown(value)}`);
    return [sequence, time, action, outcome, ...details].join('  ');
  } catch {
    return `${sequence}  unreadable`;
  }
}

/** A user chooses the name that it claims: one that could pass for other fields, other lines or a terminal's commands is quoted. */
function shown(value: unknown): string {
  if (typeof value === 'string' && /^[!#-~]+(?: [!#-~]+)*$/.test(value)) return value;
  return JSON.stringify(value).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export const auditCommands: Readonly<Record<string, Command>> = { 'audit verify': verify, 'audit list': list };
