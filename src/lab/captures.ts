import type { SipMessage } from '../protocol/sip/message.ts';

const maxCaptured = 256;

export interface CapturedBody {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** What somebody inside the network can take from the signalling: the newest messages, oldest first. */
export class Captures {
  readonly messages: SipMessage[] = [];
  readonly #waiting = new Set<(message: SipMessage) => void>();

  add(message: SipMessage): void {
    this.messages.push(message.clone());
    if (this.messages.length > maxCaptured) this.messages.shift();
    for (const waiting of this.#waiting) waiting(message);
  }

  /** The body of the next MESSAGE that reaches the edge. */
  nextMessageBody(): Promise<CapturedBody> {
    return new Promise((resolve) => {
      const waiting = (message: SipMessage): void => {
        if (message.method !== 'MESSAGE') return;
        this.#waiting.delete(waiting);
        resolve({ contentType: message.headers.get('Content-Type') ?? '', body: message.body });
      };
      this.#waiting.add(waiting);
    });
  }
}
