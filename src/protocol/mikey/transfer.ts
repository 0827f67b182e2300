import { ProtocolError } from '../../base/errors.ts';
import { randomU32 } from '../../base/random.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { profile } from '../profile.ts';
import { createBundle, refuseOwnKeys } from './bundle.ts';
import { BundleState } from './bundle-state.ts';
import type { CryptoSessionBundle } from './bundle-types.ts';
import { sessionRands } from './derivation.ts';
import { sameIdentity } from './identity.ts';
import { decodeMessage, type CryptoSession } from './message.ts';
import { sdpIdsExtension } from './payload-access.ts';
import type { GeneralExtensionPayload, SecurityPolicyPayload } from './payloads.ts';
import { messageKeys, suites, type SuiteParameters } from './protection.ts';
import { cryptoSession, emptySecurityPolicy, offeredSession } from './session-negotiation.ts';
import { copyKeys } from './ticket-keys.ts';
import { checkPlainProcessing, refuseAfterRekeying, refuseOutsideLife } from './ticket-policy.ts';
import { isCounter, makeTimestamp, timestampMilliseconds } from './timestamp.ts';
import { acceptTransferResponse, errorForResponse, type SentTransfer } from './transfer-answer.ts';
import { sealTransferInit, type TransferInit } from './transfer-messages.ts';
import type { GrantedTicket, Transfer, TransferOptions, TransferSession } from './types.ts';

const usedOnce = new WeakSet<GrantedTicket>();

const refuseLocally = (problem: string, field: string): never => {
  throw new ProtocolError('local', problem, { field: `transfer.${field}` });
};

function checkUse({ ticket, initiator, keys = [], now }: TransferOptions): void {
  refuseOutsideLife(ticket, now);
  refuseAfterRekeying(ticket, now);
  checkPlainProcessing(ticket.flags, 'initiator');
  // Reading [A26]: with forking only the initiator that the ticket names can send it.
  if (ticket.flags.I && !sameIdentity(initiator, ticket.initiator)) refuseLocally('not our ticket', 'initiator');
  if (ticket.flags.I !== (ticket.mpkr !== undefined)) refuseLocally('MPKr does not fit flag I', 'ticket');
  refuseOwnKeys(ticket.flags, 'initiator', keys);
  if (!ticket.flags.J && usedOnce.has(ticket)) refuseLocally('a single-use ticket was used', 'ticket');
  usedOnce.add(ticket);
}

function extensionsOf(
  { extensions = [], sdpIds }: TransferOptions,
  session: TransferSession,
): readonly GeneralExtensionPayload[] {
  const list = typeof extensions === 'function' ? extensions(session) : extensions;
  const given = list.map(({ type, data }): GeneralExtensionPayload => ({
    payload: 'EXTENSION',
    extensionType: type,
    data,
  }));
  return sdpIds === undefined ? given : [...given, sdpIdsExtension(sdpIds)];
}

function offerOf(options: TransferOptions): {
  readonly sessions: readonly [CryptoSession, ...CryptoSession[]];
  readonly policies: readonly SecurityPolicyPayload[];
} {
  const { ticket, keys = [] } = options;
  // Reading [A36]: keys of the initiator come before those of the ticket. With none at all the responder brings one (RFC 6043 8).
  const first = keys[0] ?? ticket.keys[0];
  if (first === undefined && !ticket.flags.M) refuseLocally('no session key', 'ticket');
  const spi = first?.spi ?? new Uint8Array();
  if (options.sessions === undefined) {
    const { protType, csId } = options;
    return { sessions: [cryptoSession(csId, protType, spi)], policies: [emptySecurityPolicy(protType)] };
  }
  const [session, ...more] = options.sessions.map((offer) => offeredSession(offer, spi));
  if (session === undefined) return refuseLocally('no session', 'sessions');
  return { sessions: [session, ...more], policies: options.policies };
}

function suiteFor({ ticket, suite: wished }: TransferOptions): SuiteParameters {
  const suite = suites[wished ?? ticket.suite];
  // Reading [A17].
  if (suite.keyBits < suites[ticket.suite].keyBits) refuseLocally('a suite weaker than the ticket', 'suite');
  return suite;
}

/** Hands a ticket over (RFC 6043 4.2.2): once, or with flag J again and again, each time under a fresh CSB ID, T and RANDRi. */
export function createTransfer(options: TransferOptions): Transfer {
  checkUse(options);
  const { ticket, random, now, keys = [] } = options;
  const suite = suiteFor(options);
  const { sessions, policies } = offerOf(options);
  const csbId = randomU32(random);
  const rand = random.bytes(profile.mikey.randOctets);
  const timestamp = makeTimestamp(now, options.timestamp);
  const oneWay = (): CryptoSessionBundle => {
    if (ticket.flags.F) refuseLocally('the key is made from an answer', 'sessionKey');
    return createBundle({
      role: 'initiator',
      csbId,
      initiator: options.initiator,
      responder: options.responder,
      peer: options.responder,
      flags: ticket.flags,
      exchangeRands: { initiator: rand },
      state: new BundleState({
        suite,
        // H is set whenever G is not, so RANDRi makes every use of the ticket another key.
        rands: sessionRands(ticket.flags, { initiator: rand }),
        sessions,
        policies,
        layers: [copyKeys(keys), copyKeys(ticket.keys)],
      }),
      protection: messageKeys(suite, ticket.mpki, csbId, 'initial', { initiator: rand }),
      ownTimestamp: timestamp,
      peerTimestamp: undefined,
      rules: options.answers ?? {},
      rekeyingSeconds: ticket.rekeyingSeconds,
      now,
    });
  };
  const [{ csId, spi }] = sessions;
  const sessionKey = (): SecretBytes => {
    const bundle = oneWay();
    const { tek } = bundle.sessionKey(csId);
    bundle.dispose();
    return tek;
  };
  const session: TransferSession = { csbId, csId, spi, sessionKey };
  const init: TransferInit = {
    suite,
    csbId,
    timestamp,
    rand,
    initiator: options.initiator,
    responder: options.responder,
    sessions,
    policies,
    ticket: ticket.ticketPayload,
    extensions: extensionsOf(options, session),
    suppliedKeys: keys,
    mpki: ticket.mpki,
    mpkr: ticket.mpkr,
  };
  const message = sealTransferInit(init);
  const sent: SentTransfer = { ticket, init, message, keys, rules: options.answers ?? {} };
  return {
    ...session,
    message,
    timestamp: isCounter(timestamp) ? now : timestampMilliseconds(timestamp, 'mikey.T'),
    bundle: oneWay,
    accept: (response, receivedAt) => acceptTransferResponse(sent, decodeMessage(response), receivedAt),
    errorFor: (response, error, failedAt) => errorForResponse(sent, response, error, failedAt),
  };
}
