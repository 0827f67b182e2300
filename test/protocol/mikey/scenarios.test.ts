import { describe, expect, it } from 'vitest';

import { concatBytes, fromBase64, toHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { TrustAnchors } from '../../../src/crypto/certificate-path.ts';
import { readPrivateKeyPem } from '../../../src/crypto/key-files.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { RsaPrivateKey } from '../../../src/crypto/rsa.ts';
import { Certificate } from '../../../src/crypto/x509.ts';
import {
  initiatorDataKey,
  makeBaseTicket,
  openBaseTicket,
  splitMpk,
  verifyInitiatorData,
} from '../../../src/protocol/mikey/base-ticket.ts';
import { idRole, randRole } from '../../../src/protocol/mikey/code-points.ts';
import {
  counterModeIv,
  derivation,
  deriveKey,
  forkLabel,
  messageLabel,
  sessionRands,
  sessionLabel,
  ticketCsbId,
  ticketLabel,
  type ExchangeRands,
  type MessageOrder,
} from '../../../src/protocol/mikey/derivation.ts';
import { makeEnvelope, openEnvelope, type KmsKeyPair } from '../../../src/protocol/mikey/envelope.ts';
import { KmsMachine, sameIdentity, uriIdentity, type MikeyIdentity } from '../../../src/protocol/mikey/index.ts';
import { decodeMessage, encodeMessage, type DecodedMessage } from '../../../src/protocol/mikey/message.ts';
import { forkedKeys } from '../../../src/protocol/mikey/kms-machine.ts';
import {
  identityInRole,
  randInRole,
  requiredPayload,
  requiredRand,
} from '../../../src/protocol/mikey/payload-access.ts';
import type {
  GeneralExtensionPayload,
  KeyDataPayload,
  Payload,
  SecurityPolicyPayload,
} from '../../../src/protocol/mikey/payloads.ts';
import { requestInitPkPayloads } from '../../../src/protocol/mikey/ticket-request-pk.ts';
import { resolveInitPkPayloads } from '../../../src/protocol/mikey/resolve-pk.ts';
import { isSignedBy } from '../../../src/protocol/mikey/signature.ts';
import { profile } from '../../../src/protocol/profile.ts';
import { coveredOctets, messageKeys, suites, verifyMessage } from '../../../src/protocol/mikey/protection.ts';
import {
  openResolveResponse,
  sealRequestResponse,
  sealResolveInit,
  sealResolveResponse,
  type ResolveInit,
} from '../../../src/protocol/mikey/resolve-messages.ts';
import { decodeKeyData, encodeCoveredTicket, encodeKeyData } from '../../../src/protocol/mikey/ticket-codec.ts';
import { mpkData, sessionTek, kindOf } from '../../../src/protocol/mikey/ticket-keys.ts';
import { openRequestResponse, sealRequestInit, type RequestInit } from '../../../src/protocol/mikey/ticket-request.ts';
import { timestampForIv, timestampMilliseconds } from '../../../src/protocol/mikey/timestamp.ts';
import { sealTransferInit, sealTransferResponse } from '../../../src/protocol/mikey/transfer-messages.ts';
import { hex, vectors, type Scenario, type VectorIdentity } from './vectors.ts';

const identityTypes = ['nai', 'uri', 'bytes'] as const;
const identity = ({ id_type, data }: VectorIdentity): MikeyIdentity => ({
  type: identityTypes[id_type]!,
  data: hex(data),
});

/** Everything that an exchange was made from, read from the vector's inputs and, where it says no input, from its trace. */
class Exchange {
  readonly scenario: Scenario;
  readonly suite;
  readonly isPsk: boolean;
  readonly initiator;
  readonly responder;
  readonly kms;
  readonly pskInitiator: SecretBytes;
  readonly pskResponder: SecretBytes;
  readonly mpk: KeyDataPayload;
  readonly keys: readonly KeyDataPayload[];

  constructor(scenario: Scenario) {
    const { inputs } = scenario;
    this.scenario = scenario;
    this.suite = suites[scenario.suite === 128 ? '128' : '256'];
    this.isPsk = inputs['psk_initiator'] !== undefined;
    this.initiator = identity(inputs.initiator);
    this.responder = identity(inputs.responder);
    this.kms = identity(inputs.kms);
    this.pskInitiator = new SecretBytes(hex(inputs['psk_initiator'] ?? inputs['env_key_initiator']));
    this.pskResponder = new SecretBytes(hex(inputs['psk_responder'] ?? inputs['env_key_responder']));
    const [mpk, ...keys] = decodeKeyData(hex(scenario.trace['ticket']!['kemac_plain'])) as KeyDataPayload[];
    this.mpk = mpk!;
    this.keys = keys;
  }

  get forked(): boolean {
    return this.scenario.flags.includes('I');
  }

  message(name: string): DecodedMessage {
    return decodeMessage(hex(this.scenario.messages[name]));
  }

  trace(name: string, field: string): string | undefined {
    return this.scenario.trace[name]?.[field];
  }

  rand(name: string, role: number): Uint8Array {
    return requiredRand(this.message(name).payloads, role);
  }

  timestamp(name: string) {
    return requiredPayload(this.message(name).payloads, 'T');
  }

  requestInit(): RequestInit {
    const message = this.message('request_init');
    return {
      suite: this.suite,
      psk: this.pskInitiator,
      pskId: this.isPsk ? identity(this.scenario.inputs.psk_initiator_id) : undefined,
      csbId: message.header.csbId,
      timestamp: this.timestamp('request_init'),
      rand: this.rand('request_init', randRole.initiator),
      initiator: this.initiator,
      kms: this.kms,
      policy: requiredPayload(message.payloads, 'TP').policy,
    };
  }

  ticket() {
    const granted = requiredPayload(this.message('request_resp').payloads, 'TICKET').policy;
    const ticketData = requiredPayload(this.message('request_resp').payloads, 'TICKET').ticketData;
    return makeBaseTicket({
      policy: granted,
      tpk: { id: identity(this.scenario.inputs.tpk_id), key: new SecretBytes(hex(this.scenario.inputs['tpk'])) },
      // THDR of a base ticket takes three octets, T follows.
      timestamp: {
        payload: 'T',
        timestampType: ticketData[4]!,
        value: ticketData.slice(5, ticketData[4] === 3 ? 9 : 13),
      },
      rand: hex(this.trace('ticket', 'rand')),
      mpk: this.mpk,
      keys: this.keys,
    });
  }

  split() {
    return splitMpk(this.suite.prf, this.mpk.key, hex(this.trace('ticket', 'rand')));
  }

  spi(): Uint8Array {
    return this.mpk.validity.kind === 'spi' ? this.mpk.validity.spi : new Uint8Array();
  }

  requestResponse(): Uint8Array {
    const { mpki, mpkr } = this.split();
    const mpks = [mpki, ...(this.forked ? [mpkr] : [])].map((key) => mpkData(key, this.spi()));
    const { csbId, rand } = this.requestInit();
    const answer = {
      suite: this.suite,
      psk: this.pskInitiator,
      csbId,
      timestamp: this.timestamp('request_resp'),
      rand,
      kms: this.kms,
      keys: [...mpks, ...this.keys],
    };
    return sealRequestResponse(answer, this.ticket(), hex(this.scenario.messages['request_init']));
  }

  transferInit(): Uint8Array {
    const message = this.message('transfer_init');
    const { mpki, mpkr } = this.split();
    const { map } = message.header;
    return sealTransferInit({
      suite: this.suite,
      csbId: message.header.csbId,
      timestamp: this.timestamp('transfer_init'),
      rand: this.rand('transfer_init', randRole.initiator),
      initiator: this.initiator,
      responder: this.responder,
      sessions: map.type === 'generic' ? map.sessions : [],
      policies: message.payloads.filter((payload): payload is SecurityPolicyPayload => payload.payload === 'SP'),
      ticket: this.ticket(),
      extensions: message.payloads.filter(
        (payload): payload is GeneralExtensionPayload => payload.payload === 'EXTENSION',
      ),
      mpki: new SecretBytes(mpki),
      mpkr: this.forked ? new SecretBytes(mpkr) : undefined,
    });
  }

  resolveInit(): ResolveInit {
    const message = this.message('resolve_init');
    return {
      suite: this.suite,
      psk: this.pskResponder,
      pskId: this.isPsk ? identity(this.scenario.inputs.psk_responder_id) : undefined,
      csbId: message.header.csbId,
      timestamp: this.timestamp('resolve_init'),
      rand: this.rand('resolve_init', randRole.responder),
      responder: this.responder,
      kms: this.kms,
      ticket: requiredPayload(decodeMessage(this.transferInit()).payloads, 'TICKET'),
    };
  }

  opened() {
    return openBaseTicket(this.ticket(), () => new SecretBytes(hex(this.scenario.inputs['tpk'])));
  }

  resolveResponse(): Uint8Array {
    const message = this.message('resolve_resp');
    const { csbId, rand } = this.resolveInit();
    const fork = this.forked
      ? {
          responder: identityInRole(message.payloads, idRole.responder)!,
          rand: requiredRand(message.payloads, randRole.kms),
        }
      : undefined;
    const opened = this.opened();
    const keys =
      fork === undefined
        ? [mpkData(opened.mpki, opened.mpkSpi), ...opened.keys]
        : forkedKeys(opened, { responder: fork.responder.data, kmsRand: fork.rand });
    const answer = {
      suite: this.suite,
      psk: this.pskResponder,
      csbId,
      timestamp: this.timestamp('resolve_resp'),
      rand,
      kms: this.kms,
      keys,
    };
    return sealResolveResponse(answer, fork, hex(this.scenario.messages['resolve_init']));
  }

  transferRands(): ExchangeRands {
    const initiator = this.rand('transfer_init', randRole.initiator);
    if (this.scenario.messages['transfer_resp'] === undefined) return { initiator };
    const responder = randInRole(this.message('transfer_resp').payloads, randRole.responder);
    return { initiator, ...(responder === undefined ? {} : { responder }) };
  }
}

function expectProtection(
  exchange: Exchange,
  name: string,
  secret: Uint8Array,
  order: MessageOrder,
  rands: ExchangeRands,
  trailer: readonly Uint8Array[],
): void {
  const message = exchange.message(name);
  const { csbId } = message.header;
  const keys = messageKeys(exchange.suite, new SecretBytes(secret), csbId, order, rands);
  const derived = { auth: keys.authentication(), encr: keys.encryption(), salt: keys.salt(112) };
  const constants = { auth: derivation.authentication, encr: derivation.encryption, salt: derivation.salt };
  for (const kind of ['auth', 'encr', 'salt'] as const) {
    const label = exchange.trace(name, `${kind}_key_label`);
    if (label === undefined) continue;
    expect(toHex(messageLabel(constants[kind], csbId, order, rands))).toBe(label);
    expect(toHex(derived[kind])).toBe(exchange.trace(name, `${kind}_key`));
  }
  const iv = exchange.trace(name, 'iv');
  if (iv !== undefined)
    expect(toHex(counterModeIv(derived.salt, csbId, timestampForIv(exchange.timestamp(name))))).toBe(iv);
  const covered = concatBytes(coveredOctets(message, name === 'transfer_init'), ...trailer);
  expect(toHex(covered)).toBe(exchange.trace(name, 'mac_input'));
  expect(() => verifyMessage(message, keys, trailer, name === 'transfer_init')).not.toThrow();
  const mac = exchange.trace(name, 'mac')!;
  expect(toHex(message.bytes).endsWith(mac)).toBe(true);
}

const kmsCertificate = (exchange: Exchange): Certificate =>
  new Certificate(hex(exchange.scenario.inputs['kms_cert']), 'kms');

function kmsKeys(exchange: Exchange): KmsKeyPair {
  const pem = exchange.scenario.inputs['kms_private_pem']!;
  return {
    certificate: kmsCertificate(exchange),
    privateKey: new RsaPrivateKey(readPrivateKeyPem(utf8(pem), 'kms'), 'kms'),
  };
}

/** Padding and therefore PKE, and the private key behind SIGN, are nobody's but the maker's: those octets are taken over. */
function expectPublicKeyQuestion(
  exchange: Exchange,
  name: 'request_init' | 'resolve_init',
  payloads: readonly Payload[],
  expected: { certificate: Uint8Array; envelopeKey: SecretBytes; trailer: readonly Uint8Array[] },
): void {
  const message = exchange.message(name);
  const made = makeEnvelope(exchange.suite, kmsCertificate(exchange), secureRandom);
  const taken = { pke: requiredPayload(message.payloads, 'PKE'), sign: requiredPayload(message.payloads, 'SIGN') };
  expect({ ...made.pke, data: made.pke.data.length }).toEqual({ ...taken.pke, data: taken.pke.data.length });
  const whole = { header: message.header, payloads: [...payloads, made.certificateHash, taken.pke, taken.sign] };
  expect(toHex(encodeMessage(whole))).toBe(exchange.scenario.messages[name]);
  const covered = concatBytes(coveredOctets(message, false), ...expected.trailer);
  expect(toHex(covered)).toBe(exchange.trace(name, 'signed'));
  const signer = new Certificate(expected.certificate, 'test').publicKey();
  expect(isSignedBy(message, signer, expected.trailer)).toBe(true);
  expect(isSignedBy(message, signer, [...expected.trailer].reverse())).toBe(false);
  expect(isSignedBy(message, kmsCertificate(exchange).publicKey(), expected.trailer)).toBe(false);
  const opened = openEnvelope(message.payloads, [kmsKeys(exchange)], exchange.suite);
  expect(opened.use(toHex)).toBe(expected.envelopeKey.use(toHex));
  expect(opened.use(toHex)).toBe(exchange.trace(name, 'env_key'));
}

/** A KMS with the vector's ticket protection key and its own; users are known by whatever their certificate says. */
function publicKeyMachine(exchange: Exchange): KmsMachine {
  const { inputs } = exchange.scenario;
  const tpk = { id: identity(inputs.tpk_id), key: new SecretBytes(hex(inputs['tpk'])) };
  const anchors = new TrustAnchors([hex(inputs['cert_initiator']), hex(inputs['cert_responder'])], 'anchors');
  return new KmsMachine({
    identity: exchange.kms,
    tpks: { current: tpk, find: () => tpk.key },
    directory: {
      findSubscriber: () => undefined,
      findCertified: (claimed, { uris }) =>
        uris.some((uri) => sameIdentity(uriIdentity(uri), claimed))
          ? { name: 'certified', identity: claimed, owns: (other) => sameIdentity(other, claimed) }
          : undefined,
      mayRequest: () => true,
      responderFor: (user, responders) => responders.find((one) => user.owns(one)),
    },
    rules: profile.ticket,
    random: secureRandom,
    publicKey: { keys: [kmsKeys(exchange)], anchors },
  });
}

describe.each(vectors.scenarios)('$name', (scenario) => {
  const exchange = new Exchange(scenario);
  const { messages } = scenario;
  const { initiator, responder, kms } = exchange;

  const forSharedKey = exchange.isPsk ? it : undefined;
  const forPublicKey = exchange.isPsk ? undefined : it;

  forSharedKey?.('Ticket Request: the same octets, and every step to them', () => {
    const request = exchange.requestInit();
    expect(toHex(sealRequestInit(request))).toBe(messages['request_init']);
    const rands = { initiator: request.rand };
    const psk = hex(scenario.inputs['psk_initiator']);
    expectProtection(exchange, 'request_init', psk, 'initial', rands, [initiator.data, kms.data]);
  });

  it('ticket: the same octets, and every step to them', () => {
    const ticket = exchange.ticket();
    const rand = hex(exchange.trace('ticket', 'rand'));
    const covered = encodeCoveredTicket(ticket);
    expect(`00${toHex(covered)}0000`).toBe(exchange.trace('ticket', 'payload'));
    // The vector counts the payload's own Next Payload octet out.
    const macInput = exchange.trace('ticket', 'mac_input')!;
    expect(toHex(covered).startsWith(macInput)).toBe(true);
    expect(toHex(covered)).toBe(macInput + exchange.trace('ticket', 'mac')!);
    const tpk = hex(scenario.inputs['tpk']);
    const kinds = { auth: derivation.authentication, encr: derivation.encryption, salt: derivation.salt };
    const bits = { auth: exchange.suite.authenticationBits, encr: exchange.suite.keyBits, salt: 112 };
    for (const kind of ['auth', 'encr', 'salt'] as const) {
      const label = ticketLabel(kinds[kind], 'tpk', rand);
      expect(toHex(label)).toBe(exchange.trace('ticket', `${kind}_key_label`));
      expect(toHex(deriveKey(exchange.suite.prf, tpk, label, bits[kind]))).toBe(
        exchange.trace('ticket', `${kind}_key`),
      );
    }
    const timestamp = {
      payload: 'T',
      timestampType: ticket.ticketData[4]!,
      value: ticket.ticketData.slice(5, ticket.ticketData[4] === 3 ? 9 : 13),
    } as const;
    expect(
      toHex(counterModeIv(hex(exchange.trace('ticket', 'salt_key')), ticketCsbId, timestampForIv(timestamp))),
    ).toBe(exchange.trace('ticket', 'iv'));
    const { mpki, mpkr } = exchange.split();
    expect([toHex(mpki), toHex(mpkr)]).toEqual([exchange.trace('ticket', 'mpki'), exchange.trace('ticket', 'mpkr')]);
    expect(toHex(ticketLabel(derivation.mpki, 'mpk', rand))).toBe(exchange.trace('ticket', 'label_mpki'));
    expect(toHex(ticketLabel(derivation.mpkr, 'mpk', rand))).toBe(exchange.trace('ticket', 'label_mpkr'));
    const opened = exchange.opened();
    expect(toHex(encodeKeyData([exchange.mpk, ...opened.keys]))).toBe(exchange.trace('ticket', 'kemac_plain'));
  });

  it('REQUEST_RESP: the same octets, and the initiator gets the keys', () => {
    expect(toHex(exchange.requestResponse())).toBe(messages['request_resp']);
    const request = exchange.requestInit();
    const question = hex(messages['request_init']);
    const secret = exchange.pskInitiator.use((octets) => Uint8Array.from(octets));
    expectProtection(exchange, 'request_resp', secret, 'response', { initiator: request.rand }, [question]);
    const list = openRequestResponse(request, question, exchange.message('request_resp'), exchange.forked);
    expect(toHex(encodeKeyData([...list.mpks, ...list.keys]))).toBe(exchange.trace('request_resp', 'kemac_plain'));
  });

  it('TRANSFER_INIT: the same octets, Initiator Data included', () => {
    expect(toHex(exchange.transferInit())).toBe(messages['transfer_init']);
    const { mpki, mpkr } = exchange.split();
    const rands = { initiator: exchange.rand('transfer_init', randRole.initiator) };
    expectProtection(exchange, 'transfer_init', mpki, 'initial', rands, [initiator.data, responder.data]);
    if (!exchange.forked) return;
    const { initiatorData } = requiredPayload(exchange.message('transfer_init').payloads, 'TICKET');
    expect(toHex(initiatorData)).toBe(exchange.trace('initiator_data', 'field')!);
    expect(toHex(initiatorDataKey(exchange.suite, mpkr))).toBe(exchange.trace('initiator_data', 'auth_key'));
    expect(() => verifyInitiatorData(exchange.suite, mpkr, initiatorData)).not.toThrow();
    expect(() => verifyInitiatorData(exchange.suite, mpki, initiatorData)).toThrow(/not sent by its initiator/);
  });

  forPublicKey?.('Ticket Request by certificate: the same octets, signature and envelope key', () => {
    const request = exchange.requestInit();
    const certificate = hex(scenario.inputs['cert_initiator']);
    expectPublicKeyQuestion(exchange, 'request_init', requestInitPkPayloads(request, [certificate]), {
      certificate,
      envelopeKey: exchange.pskInitiator,
      trailer: [initiator.data, kms.data],
    });
  });

  forPublicKey?.('Ticket Resolve by certificate: the same octets, signature and envelope key', () => {
    const init = exchange.resolveInit();
    const certificate = hex(scenario.inputs['cert_responder']);
    expectPublicKeyQuestion(exchange, 'resolve_init', resolveInitPkPayloads(init, [certificate]), {
      certificate,
      envelopeKey: exchange.pskResponder,
      trailer: [responder.data, kms.data],
    });
  });

  forPublicKey?.('a KMS answers both questions, and the answers open', async () => {
    const machine = publicKeyMachine(exchange);
    const asked = hex(messages['request_init']);
    const requestedAt = timestampMilliseconds(exchange.timestamp('request_init'), 'test');
    const granted = await machine.handleTicketRequest(asked, requestedAt);
    if (granted.outcome !== 'answered') throw granted.error;
    const list = openRequestResponse(exchange.requestInit(), asked, decodeMessage(granted.message), exchange.forked);
    expect(list.mpks).toHaveLength(2);
    const resolve = hex(messages['resolve_init']);
    const resolvedAt = timestampMilliseconds(exchange.timestamp('resolve_init'), 'test');
    const resolved = await machine.handleTicketResolve(resolve, resolvedAt);
    if (resolved.outcome !== 'answered') throw resolved.error;
    const opened = openResolveResponse(exchange.resolveInit(), resolve, decodeMessage(resolved.message));
    // The ticket is the vector's, so are the keys in it; only the fork is new.
    expect(toHex(opened.mpks[0].key)).toBe(toHex(exchange.split().mpki));
    expect(await machine.handleTicketResolve(resolve, resolvedAt)).toMatchObject({ outcome: 'refused' });
  });

  forSharedKey?.('RESOLVE_INIT: the same octets', () => {
    const init = exchange.resolveInit();
    expect(toHex(sealResolveInit(init))).toBe(messages['resolve_init']);
    const psk = hex(scenario.inputs['psk_responder']);
    expectProtection(exchange, 'resolve_init', psk, 'initial', { responder: init.rand }, [responder.data, kms.data]);
  });

  it('RESOLVE_RESP: the same octets, keys forked, and the responder gets them', () => {
    expect(toHex(exchange.resolveResponse())).toBe(messages['resolve_resp']);
    const init = exchange.resolveInit();
    const question = hex(messages['resolve_init']);
    const secret = exchange.pskResponder.use((octets) => Uint8Array.from(octets));
    expectProtection(exchange, 'resolve_resp', secret, 'response', { responder: init.rand }, [question]);
    const list = openResolveResponse(init, question, exchange.message('resolve_resp'));
    expect(toHex(encodeKeyData([...list.mpks, ...list.keys]))).toBe(exchange.trace('resolve_resp', 'kemac_plain'));
    const { fork } = scenario.trace;
    if (!exchange.forked || fork === undefined) return;
    const modifier = [hex(exchange.trace('fork', 'id_data')), hex(exchange.trace('fork', 'randr_kms'))] as const;
    expect(toHex(forkLabel(derivation.forkedMpkr, ...modifier))).toBe(exchange.trace('fork', 'label_mpkr'));
    expect(toHex(forkLabel(derivation.forkedTgk, ...modifier))).toBe(exchange.trace('fork', 'label_tgk'));
    expect(toHex(list.mpks[1]!.key)).toBe(exchange.trace('fork', 'mpkr_forked'));
    expect(exchange.keys.map(({ key }) => toHex(key))).toEqual(fork.keys);
    expect(list.keys.map(({ key }) => toHex(key))).toEqual(fork.keys_forked);
  });

  const forAnswered = messages['transfer_resp'] === undefined ? undefined : it;
  forAnswered?.('TRANSFER_RESP: the same octets', () => {
    const message = exchange.message('transfer_resp');
    const rands = exchange.transferRands();
    const forkedMpkr = exchange.trace('fork', 'mpkr_forked');
    const secret = forkedMpkr === undefined ? exchange.split().mpki : hex(forkedMpkr);
    const kmsRand = randInRole(message.payloads, randRole.kms);
    const { map, csbId } = message.header;
    const init = hex(messages['transfer_init']);
    const made = sealTransferResponse(
      {
        suite: exchange.suite,
        csbId,
        timestamp: exchange.timestamp('transfer_resp'),
        rands,
        responder,
        kmsRand,
        sessions: map.type === 'generic' ? map.sessions : [],
        policies: message.payloads.filter((payload): payload is SecurityPolicyPayload => payload.payload === 'SP'),
        messageKey: new SecretBytes(secret),
      },
      init,
    );
    expect(toHex(made)).toBe(messages['transfer_resp']);
    expectProtection(exchange, 'transfer_resp', secret, 'response', rands, [init]);
  });

  it('session keys', () => {
    const flags = { G: scenario.flags.includes('G'), H: scenario.flags.includes('H') };
    const rands = sessionRands(flags, exchange.transferRands());
    const forkedKeyHex = scenario.trace.fork?.keys_forked;
    for (const { cs_id, tek, salt, spi } of scenario.session_keys) {
      const index = exchange.keys.findIndex(({ validity }) => validity.kind === 'spi' && toHex(validity.spi) === spi);
      const data = exchange.keys[index]!;
      const key = forkedKeyHex === undefined ? data.key : hex(forkedKeyHex[index]);
      expect(toHex(sessionTek(exchange.suite, kindOf(data), key, cs_id, rands))).toBe(tek);
      const label = sessionLabel(derivation.saltFromTgk, cs_id, rands);
      const derivedSalt = deriveKey(exchange.suite.prf, key, label, salt.length * 4);
      expect(toHex(data.salt ?? derivedSalt)).toBe(salt);
    }
  });

  it('travels in SDP as it is', () => {
    for (const [name, line] of Object.entries(scenario.sdp)) {
      expect(toHex(fromBase64(line.replace('a=key-mgmt:mikey ', '')))).toBe(messages[name]);
    }
  });
});
