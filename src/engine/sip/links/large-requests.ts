import { withDeadline } from '../../deadline.ts';
import { limits } from '../../limits.ts';
import { formatVia, parseVia } from '../../../protocol/sip/headers.ts';
import type { SipMessage } from '../../../protocol/sip/message.ts';
import { branchOf, type BranchMemory } from './branch-memory.ts';
import type { SipLinkContext } from './sip-link.ts';
import { StreamLink } from './stream-link.ts';

/**
 * The stream beside a datagram flow: a request that is too long for a datagram leaves over it to the same server, with its Via
 * changed, and its answer comes back over it (RFC 3261 clause 18.1.1).
 */
export class LargeRequests {
  readonly #context: SipLinkContext;
  readonly #requests: BranchMemory;
  /** Requests that came in over the stream, whose answers leave over it (clause 18.2.2). */
  readonly #received: BranchMemory;
  #opening: Promise<StreamLink> | undefined;
  #link: StreamLink | undefined;
  #isStopped = false;

  constructor(context: SipLinkContext, memories: { readonly sent: BranchMemory; readonly received: BranchMemory }) {
    this.#context = context;
    this.#requests = memories.sent;
    this.#received = memories.received;
  }

  /** Whether a message belongs to what went over the stream: ACK and CANCEL follow their request, answers theirs. */
  owns(message: SipMessage): boolean {
    if (message.status !== undefined) return this.#received.has(branchOf(message));
    return (message.method === 'ACK' || message.method === 'CANCEL') && this.#requests.has(branchOf(message));
  }

  /** Connects where needed. Rejects when the server takes no streams. */
  async open(): Promise<void> {
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    if (this.#link === undefined) await this.#opening;
  }

  /** Over a stream that stands. */
  async send(message: SipMessage): Promise<void> {
    const link = this.#link;
    if (link === undefined) throw new Error('the connection for long messages broke');
    if (message.status !== undefined) return link.send(message);
    const { localAddress, localPort } = link.connection;
    const host = localAddress.includes(':') ? `[${localAddress}]` : localAddress;
    const via = parseVia(message.headers.get('Via') ?? '');
    const changed = message.clone();
    changed.headers.set('Via', formatVia({ ...via, transport: 'TCP', host, port: localPort }));
    this.#requests.add(branchOf(message));
    await link.send(changed);
  }

  check(): void {
    this.#link?.check();
  }

  stop(): void {
    this.#isStopped = true;
    this.#link?.stop();
    this.#link?.connection.close();
    this.#link = undefined;
  }

  async #open(): Promise<StreamLink> {
    if (this.#link !== undefined) return this.#link;
    const { ports, hop, listener } = this.#context;
    const connection = await withDeadline(
      ports.clock,
      limits.sipConnectMilliseconds,
      ports.sip.connect({ ...hop, protocol: 'tcp' }),
      () => new Error('no connection for long messages: timed out'),
      (late) => late.close(),
    );
    if (this.#isStopped) {
      connection.close();
      throw new Error('the flow is over');
    }
    const link = new StreamLink({
      ...this.#context,
      connection,
      listener: {
        ...listener,
        onMessage: (bytes) => {
          this.#received.addReceived(bytes);
          listener.onMessage(bytes);
        },
        onLost: (error) => this.#lost(link, error),
      },
    });
    this.#link = link;
    return link;
  }

  #lost(link: StreamLink, error: Error): void {
    link.stop();
    link.connection.close();
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#context.ports.log.log('info', 'sip.long-messages', { reason: error.message });
    this.#context.listener.onUnanswerable(this.#requests.take());
  }
}
