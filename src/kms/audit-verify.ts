import { equalBytes } from '../base/bytes.ts';
import { brokenLink, chainStart, type AuditHead } from './audit-chain.ts';
import type { AuditStore } from './ports.ts';

const pageLines = 1000;

/** A head that was noted at some time, and where. */
export interface NotedHead {
  readonly head: AuditHead;
  /** For people: `the file kms.audit-head`. */
  readonly from: string;
}

export type AuditVerdict =
  | { readonly verdict: 'whole'; readonly head: AuditHead }
  /** `sequence` is the first line that is wrong or missing. */
  | { readonly verdict: 'broken'; readonly sequence: number; readonly problem: string };

/**
 * Follows the chain from its first line, and looks for each noted head in it.
 *
 * Found: a changed, removed, inserted or moved line, and lines cut from the end, as far back as a noted head or the
 * storage's own. Not found: lines that never were written; lines cut after every noted head together with a change of the
 * storage's own head; a chain written anew from the first line, when no noted head is compared.
 */
export async function verifyAudit(
  audit: Pick<AuditStore, 'head' | 'read'>,
  noted: readonly NotedHead[] = [],
): Promise<AuditVerdict> {
  // Asked for first: what is appended meanwhile comes after it.
  const stored = await audit.head();
  const heads = stored === undefined ? noted : [...noted, { head: stored, from: 'the storage' }];
  let last: AuditHead = chainStart;
  for (;;) {
    const lines = await audit.read(last.sequence, pageLines);
    for (const line of lines) {
      const problem = brokenLink(last, line);
      if (problem !== undefined) return { verdict: 'broken', sequence: last.sequence + 1, problem };
      for (const { head, from } of heads) {
        if (head.sequence !== line.sequence || equalBytes(head.hash, line.hash)) continue;
        return { verdict: 'broken', sequence: line.sequence, problem: `it is not the line that ${from} noted` };
      }
      last = { sequence: line.sequence, hash: line.hash };
    }
    if (lines.length < pageLines) break;
  }
  const missed = heads.find(({ head }) => head.sequence > last.sequence);
  if (missed === undefined) return { verdict: 'whole', head: last };
  const problem = `the end is missing: ${missed.from} noted line ${missed.head.sequence}`;
  return { verdict: 'broken', sequence: last.sequence + 1, problem };
}
