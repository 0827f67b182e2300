import { z } from 'zod';
import { describeError, ProtocolError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { policies } from '../base/protection-level.ts';
import type { Account } from '../engine/account.ts';
import {
  checkParams,
  errorLine,
  notificationLine,
  parseRequest,
  resultLine,
  RpcError,
  type RpcId,
} from './json-rpc.ts';
import { isMessageMethod, messageParams, runMessageMethod, type MessageAccount } from './message-rpc.ts';
import { isOutboxMethod, outboxParams, runOutboxMethod } from './outbox-rpc.ts';
import { fileParams, isFileMethod, runFileMethod, shownFile } from './file-rpc.ts';
import { isPeopleMethod, peopleParams, runPeopleMethod, tellPeople, type PeopleParts } from './people-rpc.ts';
import { isRoomMethod, roomParams, runRoomMethod } from './room-rpc.ts';
import { withoutUndefined } from './without-undefined.ts';
import type { Line } from './bounded-lines.ts';

export type UeAccount = MessageAccount &
  Pick<
    Account,
    | 'events'
    | 'register'
    | 'unregister'
    | 'sendMessage'
    | 'cancelMessage'
    | 'retryKms'
    | 'openSession'
    | 'closeSession'
    | 'composing'
    | 'history'
    | 'outbox'
    | 'rooms'
    | 'status'
    | 'sendFile'
    | 'files'
  >;

export interface UeRpcOptions {
  readonly account: UeAccount;
  /** Contacts, presence and history of the account; their methods are unknown without it. */
  readonly people?: PeopleParts | undefined;
  readonly log: Logger;
  /** Takes one line without its line feed. */
  readonly write: (line: string) => void;
  /** Called after the answer to `shutdown` is written. */
  readonly onShutdown: () => void;
  /** Takes the certificate of the server for the right one. @throws ProtocolError where certificates are not remembered */
  readonly acceptServer?: (sha256: string) => Promise<void>;
}

const nothing = z.strictObject({});
const policy = z.enum(policies).optional();
const address = z.string().trim().min(1).max(1000);

const params = {
  register: nothing,
  unregister: nothing,
  status: nothing,
  'server.accept': z.strictObject({ sha256: z.string().regex(/^[0-9A-F]{2}(?::[0-9A-F]{2}){31}$/) }),
  shutdown: nothing,
  'message.send': z.strictObject({
    to: address,
    text: z.string().min(1),
    way: z.enum(['message', 'msrp']),
    policy,
    consent: z.boolean().optional(),
  }),
  'message.cancel': z.strictObject({ id: z.string() }),
  composing: z.strictObject({ to: address, isWriting: z.boolean() }),
  'kms.retry': nothing,
  'session.open': z.strictObject({ to: address, policy, consent: z.boolean().optional() }),
  'session.close': z.strictObject({ id: z.string() }),
  ...fileParams,
  ...roomParams,
  ...messageParams,
  ...outboxParams,
  ...peopleParams,
} as const;
type Method = keyof typeof params;

/** The scriptable UE's side of docs/ue-rpc.md: requests in, answers and notifications out, one line each. */
export class UeRpc {
  readonly #options: UeRpcOptions;
  readonly #running = new Set<Promise<void>>();
  readonly #unsubscribe: (() => void)[];

  constructor(options: UeRpcOptions) {
    this.#options = options;
    const { events } = options.account;
    this.#unsubscribe = [
      events.on('registration', (state) => this.#notify('registration', state)),
      events.on('messageReceived', (message) => this.#notify('message.received', message)),
      events.on('messageState', (message) => {
        this.#notify('message.state', message);
        // A message that could not be read at first is received only now.
        if (message.direction === 'in' && message.state === 'received') this.#notify('message.received', message);
      }),
      events.on('messageCancelled', (message) => this.#notify('message.cancelled', message)),
      events.on('kms', (state) => this.#notify('kms', state)),
      events.on('session', (change) => this.#notify('session', change)),
      events.on('file', (view) => this.#notify('file', shownFile(view))),
      events.on('composing', (change) => this.#notify('composing', change)),
      events.on('room', (view) => this.#notify('room', view)),
      events.on('roomMessage', (message) => this.#notify('room.message', message)),
      events.on('incomingRefused', (refused) => this.#notify('incoming.refused', refused)),
      ...tellPeople(options.people, (method, content) => this.#notify(method, content)),
    ];
  }

  /** Requests run side by side, so that `status` is answered while a message is on its way. */
  handleLine(line: Line): void {
    if ('problem' in line) {
      const tooLong = line.problem === 'too-long';
      this.#write(
        errorLine(
          null,
          tooLong
            ? new RpcError('line-too-long', 'This line is too long.')
            : new RpcError('parse-error', 'This line is not UTF-8.'),
        ),
      );
      return;
    }
    const running = this.#handle(line.text).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves when every request taken so far is answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  async #handle(text: string): Promise<void> {
    let id: RpcId | undefined = null;
    try {
      const request = parseRequest(text);
      id = request.id;
      if (!isMethod(request.method)) throw new RpcError('unknown-method', 'There is no such method.');
      const result = await this.#run(request.method, request.params);
      if (id !== undefined) this.#write(resultLine(id, result));
      if (request.method === 'shutdown') this.#options.onShutdown();
    } catch (error) {
      if (!(error instanceof RpcError)) {
        this.#options.log.log('error', 'ue.call-failed', { reason: describeError(error) });
      }
      if (id !== undefined) this.#write(errorLine(id, error));
    }
  }

  async #run(method: Method, given: unknown): Promise<unknown> {
    const { account } = this.#options;
    if (isRoomMethod(method)) return runRoomMethod(account.rooms, method, given);
    if (isMessageMethod(method)) return runMessageMethod(account, method, given);
    if (isOutboxMethod(method)) return runOutboxMethod(account, method, given);
    if (isFileMethod(method)) return runFileMethod(account, method, given);
    if (isPeopleMethod(method)) return runPeopleMethod(this.#options.people, method, given);
    switch (method) {
      case 'message.send': {
        const outcome = await account.sendMessage(withoutUndefined(checkParams(params[method], given)));
        if (outcome.outcome === 'refused') return outcome;
        if (outcome.outcome === 'offered') return { outcome: outcome.outcome, file: shownFile(outcome.file) };
        return { outcome: outcome.outcome, level: outcome.message.level, message: outcome.message };
      }
      case 'message.cancel': {
        const { id } = checkParams(params[method], given);
        if (!account.cancelMessage(id)) throw new RpcError('no-such-message', 'No message of this id waits.', 'id');
        return {};
      }
      case 'composing':
        return { told: account.composing(checkParams(params[method], given)) };
      case 'kms.retry':
        checkParams(params[method], given);
        return account.retryKms();
      case 'session.open': {
        const outcome = await account.openSession(withoutUndefined(checkParams(params[method], given)));
        if (outcome.outcome === 'refused') return outcome;
        return { outcome: outcome.outcome, level: outcome.session.level, session: outcome.session };
      }
      case 'session.close': {
        const { id } = checkParams(params[method], given);
        if (!(await account.closeSession(id))) throw new RpcError('no-such-session', 'There is no such session.', 'id');
        return {};
      }
      case 'register':
        checkParams(params[method], given);
        return account.register();
      case 'unregister':
        checkParams(params[method], given);
        return account.unregister();
      case 'status':
        checkParams(params[method], given);
        return account.status();
      case 'server.accept':
        return this.#acceptServer(checkParams(params[method], given).sha256);
      case 'shutdown':
        checkParams(params[method], given);
        return {};
    }
  }

  async #acceptServer(sha256: string): Promise<object> {
    const { acceptServer } = this.#options;
    if (acceptServer === undefined) throw new RpcError('not-remembered', 'No certificates are remembered here.');
    try {
      await acceptServer(sha256);
      return {};
    } catch (error) {
      if (error instanceof ProtocolError) throw new RpcError('not-remembered', error.message);
      throw error;
    }
  }

  #notify(method: string, content: unknown): void {
    this.#write(notificationLine(method, content));
  }

  #write(line: string): void {
    this.#options.write(line);
  }
}

function isMethod(name: string): name is Method {
  return Object.hasOwn(params, name);
}
