import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { profile } from '../profile.ts';
import { readInitiatorData } from './base-ticket.ts';
import { createBundle, refuseOwnKeys } from './bundle.ts';
import { BundleState } from './bundle-state.ts';
import type { CryptoSessionBundle } from './bundle-types.ts';
import type { CheckedTransfer } from './checked-transfer.ts';
import { mikeyError } from './code-points.ts';
import { sessionRands, type ExchangeRands } from './derivation.ts';
import { answerWithError } from './error-message.ts';
import type { CryptoSession } from './message.ts';
import { sdpIdsExtension, sdpIdsOf } from './payload-access.ts';
import type { SecurityPolicyPayload, TimestampPayload } from './payloads.ts';
import { messageKeys, verifyMessage, type ProtectionKeys } from './protection.ts';
import { refuseShortRands } from './rand-length.ts';
import type { ResolveFork } from './resolve-messages.ts';
import { answeredSessions, offeredSession } from './session-negotiation.ts';
import { openSuppliedKeys } from './supplied-keys.ts';
import { copyKeys, keyForSession, ticketKey, type KeyList } from './ticket-keys.ts';
import { checkForkedTgk } from './ticket-policy.ts';
import { makeTimestamp } from './timestamp.ts';
import { sealTransferResponse } from './transfer-messages.ts';
import type { AnsweredTransfer, ResolvedTransfer, RespondOptions, TicketKey } from './types.ts';

const misbehaved = (problem: string, field: string): never => {
  throw new ProtocolError('peer-misbehaved', problem, {
    field: `mikey.resolved.${field}`,
    hint: { mikey: mikeyError.unspecified },
  });
};

const refuseLocally = (problem: string, field: string): never => {
  throw new ProtocolError('local', problem, { field: `transfer.${field}` });
};

/**
 * RFC 6043 4.2.3.6: V of TRANSFER_INIT under MPKi and, with forking, the same MAC as Vi, which the KMS proved to come from
 * the ticket's initiator.
 */
function proveTransfer(
  { message, initiator, responder, ticket, verification, policy }: CheckedTransfer,
  keys: ProtectionKeys,
): void {
  verifyMessage(message, keys, [initiator.data, responder.data], true);
  if (!policy.flags.I) return;
  if (!constantTimeEqual(readInitiatorData(ticket.initiatorData).vi, verification.mac)) {
    throw new ProtocolError('peer-misbehaved', 'Vi belongs to another message', {
      field: 'mikey.TICKET.Vi',
      hint: { mikey: mikeyError.authenticationFailure },
    });
  }
}

/** Everything that a proven TRANSFER_INIT gives. */
interface Proven {
  readonly checked: CheckedTransfer;
  /** Of the ticket: forked already where they have to be. */
  readonly ticketKeys: readonly TicketKey[];
  /** Of the initiator's KEMAC. */
  readonly initiatorKeys: readonly TicketKey[];
  readonly initialKeys: ProtectionKeys;
  /** MPKi, or with forking MPKr'. */
  readonly responseKey: SecretBytes;
  readonly echo: Partial<ResolveFork>;
  readonly provenAt: number;
}

/**
 * What a TRANSFER_INIT and the keys of its ticket give, whoever opened it.
 * @param list MPKi, with forking MPKr', and session keys.
 * @param echo IDRr and RANDRkms of RESOLVE_RESP, to be handed on as they are.
 * @throws ProtocolError when the message is not authentic under these keys, or gives its sessions none.
 */
export function resolvedTransfer(
  checked: CheckedTransfer,
  list: KeyList,
  echo: Partial<ResolveFork>,
  now: number,
): ResolvedTransfer {
  const { policy, suite, message, rand } = checked;
  const { flags } = policy;
  const mpki = new SecretBytes(list.mpks[0].key);
  const initialKeys = messageKeys(suite, mpki, message.header.csbId, 'initial', { initiator: rand });
  proveTransfer(checked, initialKeys);
  const ticketKeys = list.keys.map(ticketKey);
  checkForkedTgk(
    flags,
    ticketKeys.some(({ kind }) => kind === 'TGK'),
  );
  const ownRandOctets = new Uint8Array(flags.G ? profile.mikey.randOctets : 0);
  refuseShortRands([rand, ownRandOctets], [...list.mpks, ...list.keys], 'mikey.TRANSFER_INIT.RANDRi');
  const initiatorKeys = openSuppliedKeys(message, {
    protection: initialKeys,
    csbId: message.header.csbId,
    allowed: flags.L,
    intervals: checked.rules.intervalKeys ?? false,
  });
  const responseKey = flags.I ? new SecretBytes(list.mpks[1]?.key ?? misbehaved("no MPKr'", 'KEMAC')) : mpki;
  return publicFace({ checked, ticketKeys, initiatorKeys, initialKeys, responseKey, echo, provenAt: now });
}

function publicFace(proven: Proven): ResolvedTransfer {
  const { checked, ticketKeys, initiatorKeys } = proven;
  const { flags } = checked.policy;
  const [{ session }] = checked.sessions;
  const keys = [...initiatorKeys, ...ticketKeys];
  const key = keyForSession(keys, session.spi);
  // Flag M: the responder may bring the key of a session that names one nobody has, or none.
  if (key === undefined && !flags.M) misbehaved('no key for the session', 'KEMAC');
  const bundle = (): CryptoSessionBundle => oneWayBundle(proven);
  return {
    originProven: flags.I,
    initiator: checked.initiator,
    spi: key?.spi ?? session.spi,
    bundle,
    sessionKey: () => {
      const made = bundle();
      const { tek } = made.sessionKey(session.csId);
      made.dispose();
      return tek;
    },
    respond: (options) => respond(proven, options),
    refuse: (error, now) =>
      answerWithError(checked.message.bytes, error, now, proven.initialKeys) ?? refuseLocally('an Error', 'refuse'),
  };
}

function bundleOf(
  { checked, ticketKeys, initiatorKeys, provenAt }: Proven,
  made: {
    readonly sessions: readonly CryptoSession[];
    readonly policies: readonly SecurityPolicyPayload[];
    readonly ownKeys: readonly TicketKey[];
    readonly rands: ExchangeRands;
    readonly protection: ProtectionKeys;
    readonly ownTimestamp: TimestampPayload | undefined;
    readonly now?: number;
  },
): { readonly bundle: CryptoSessionBundle; readonly state: BundleState } {
  const { policy, message, initiator, responder, timestamp, suite } = checked;
  const offered = message.payloads.filter((payload): payload is SecurityPolicyPayload => payload.payload === 'SP');
  const state = new BundleState({
    suite,
    rands: sessionRands(policy.flags, made.rands),
    sessions: made.sessions,
    policies: [...offered, ...made.policies],
    // Reading [A36].
    layers: [copyKeys(made.ownKeys), copyKeys(initiatorKeys), copyKeys(ticketKeys)],
  });
  const bundle = createBundle({
    role: 'responder',
    csbId: message.header.csbId,
    initiator,
    responder,
    peer: initiator,
    flags: policy.flags,
    exchangeRands: made.rands,
    state,
    protection: made.protection,
    ownTimestamp: made.ownTimestamp,
    peerTimestamp: timestamp,
    rules: checked.rules,
    rekeyingSeconds: policy.rekeyingSeconds,
    now: made.now ?? provenAt,
  });
  return { bundle, state };
}

function oneWayBundle(proven: Proven): CryptoSessionBundle {
  const { checked } = proven;
  if (checked.policy.flags.F) refuseLocally('the key is made from an answer', 'sessionKey');
  return bundleOf(proven, {
    sessions: checked.sessions.map(({ session }) => session),
    policies: [],
    ownKeys: [],
    rands: { initiator: checked.rand },
    protection: proven.initialKeys,
    ownTimestamp: undefined,
  }).bundle;
}

function respond(proven: Proven, options: RespondOptions): AnsweredTransfer {
  const { checked, echo } = proven;
  const { policy, suite, message: init, rand } = checked;
  const { now, random, keys = [] } = options;
  if (!policy.flags.F) refuseLocally('this ticket has no answers', 'respond');
  refuseOwnKeys(policy.flags, 'responder', keys);
  const { csbId } = init.header;
  // Reading [A12]: a RANDRr of this exchange, whatever stood in RESOLVE_INIT.
  const rands: ExchangeRands = {
    initiator: rand,
    ...(policy.flags.G ? { responder: random.bytes(profile.mikey.randOctets) } : {}),
  };
  const negotiated = sessionsToAnswer(proven, options);
  const timestamp = makeTimestamp(now, options.timestamp);
  const protection = messageKeys(suite, proven.responseKey, csbId, 'response', rands);
  const { bundle, state } = bundleOf(proven, {
    ...negotiated,
    ownKeys: keys,
    rands,
    protection,
    ownTimestamp: timestamp,
    now,
  });
  for (const session of negotiated.sessions) {
    if (session.spi.length === 0 || state.keysFor(session).length === 0) {
      refuseLocally('a session would have no key', 'keys');
    }
  }
  const sdpIds = sdpIdsOf(init.payloads);
  const message = sealTransferResponse(
    {
      suite,
      csbId,
      timestamp,
      rands,
      // RFC 6043 4.2.3.5: identity and random value of RESOLVE_RESP are handed on as they are.
      responder: echo.responder ?? checked.responder,
      kmsRand: echo.rand,
      ...negotiated,
      suppliedKeys: keys,
      messageKey: proven.responseKey,
      extensions: options.echoSdpIds === true && sdpIds !== undefined ? [sdpIdsExtension(sdpIds)] : [],
    },
    init.bytes,
  );
  const [{ session }] = checked.sessions;
  return { message, tek: state.sessionKey(session.csId, state.start(session.csId)).tek, bundle };
}

function sessionsToAnswer(
  { checked, ticketKeys, initiatorKeys }: Proven,
  options: RespondOptions,
): { readonly sessions: readonly CryptoSession[]; readonly policies: readonly SecurityPolicyPayload[] } {
  const { keys = [], moreSessions = [] } = options;
  const all = [...keys, ...initiatorKeys, ...ticketKeys];
  const firstSpi = all[0]?.spi ?? new Uint8Array();
  const offered = checked.message.payloads.flatMap((one) => (one.payload === 'SP' ? [one.policyNumber] : []));
  const answered = answeredSessions(
    checked.sessions,
    ({ spi }) => (keyForSession(all, spi) === undefined || spi.length === 0 ? firstSpi : spi),
    { ...options, takenNumbers: offered },
  );
  const added = moreSessions.map((offer) => offeredSession(offer, firstSpi));
  if (added.some(({ policies }) => policies.length !== 1)) refuseLocally('not one policy', 'moreSessions');
  return { ...answered, sessions: [...answered.sessions, ...added] };
}
