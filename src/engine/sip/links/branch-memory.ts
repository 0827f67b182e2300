import { assertProtocolError } from '../../../base/errors.ts';
import { headerList, parseVia } from '../../../protocol/sip/headers.ts';
import { parseSipMessage, type SipMessage } from '../../../protocol/sip/message.ts';

/** The branch of the top Via; empty where there is none. */
export function branchOf(message: SipMessage): string {
  try {
    return parseVia(headerList(message, 'Via')[0] ?? '').parameters.get('branch') ?? '';
  } catch (error) {
    assertProtocolError(error);
    return '';
  }
}

/** The last branches of a kind. */
export class BranchMemory {
  readonly #branches = new Set<string>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  has(branch: string): boolean {
    return branch !== '' && this.#branches.has(branch);
  }

  add(branch: string): void {
    this.#branches.add(branch);
    const [oldest] = this.#branches;
    if (this.#branches.size > this.#most && oldest !== undefined) this.#branches.delete(oldest);
  }

  /** Of a request as it came; anything else leaves nothing. */
  addReceived(bytes: Uint8Array): void {
    try {
      const message = parseSipMessage(bytes);
      if (message.status === undefined) this.add(branchOf(message));
    } catch (error) {
      assertProtocolError(error);
    }
  }

  /** All of them; none are left. */
  take(): ReadonlySet<string> {
    const taken = new Set(this.#branches);
    this.#branches.clear();
    return taken;
  }
}
