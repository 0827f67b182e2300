import { SessionState, type Session, type SessionDelegate } from 'sip.js';
import { describeError } from '../../base/errors.ts';
import type { EnginePorts } from '../ports.ts';
import { warningText } from './answer-options.ts';
import { settleWithin } from './settle-within.ts';
import type { SipSession } from './types.ts';

const endMilliseconds = 5_000;

/** An INVITE dialog of SIP.js as the application sees it. */
export class EstablishedSession implements SipSession {
  readonly id: string;
  readonly remote: string;
  isFocus = false;
  readonly #session: Session;
  readonly #ports: Pick<EnginePorts, 'clock' | 'log'>;
  #ended: string | undefined;
  #reason: string | undefined;
  #listeners: ((why: string) => void)[] = [];

  /** @param delegate of `session`; this object takes its `onBye`. */
  constructor(session: Session, remote: string, delegate: SessionDelegate, ports: Pick<EnginePorts, 'clock' | 'log'>) {
    this.#session = session;
    this.#ports = ports;
    this.id = session.id;
    this.remote = remote;
    delegate.onBye = (bye) => {
      this.#reason = reasonOf(bye.request.getHeader('Reason')) ?? 'ended by the other side';
      void bye.accept();
    };
    session.stateChange.addListener((state) => {
      if (state === SessionState.Terminated) this.#end();
    });
    if (session.state === SessionState.Terminated) this.#end();
  }

  end(reason?: string): Promise<void> {
    if (this.#session.state !== SessionState.Established) return Promise.resolve();
    this.#reason ??= reason ?? 'ended by us';
    const text = (reason ?? '').replace(/[^\x20-\x7e]|["\\]/g, "'").slice(0, 200);
    const extraHeaders = text === '' ? [] : [`Reason: SIP;cause=200;text="${text}"`];
    const answered = new Promise<void>((resolve) => {
      const done = (): void => resolve();
      const requestDelegate = { onAccept: done, onRedirect: done, onReject: done };
      this.#session.bye({ requestDelegate, requestOptions: { extraHeaders } }).catch((error: unknown) => {
        this.#ports.log.log('warn', 'sip.bye-failed', { reason: describeError(error) });
        done();
      });
    });
    return settleWithin(this.#ports.clock, endMilliseconds, answered);
  }

  onEnded(listener: (why: string) => void): void {
    if (this.#ended === undefined) this.#listeners.push(listener);
    else listener(this.#ended);
  }

  #end(): void {
    if (this.#ended !== undefined) return;
    this.#ended = this.#reason ?? 'ended';
    for (const listener of this.#listeners) listener(this.#ended);
    this.#listeners = [];
  }
}

function reasonOf(header: string | undefined): string | undefined {
  return header === undefined ? undefined : warningText([header]);
}
