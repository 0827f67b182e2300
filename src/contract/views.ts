import { z } from 'zod';
import { evidence } from './evidence.ts';

/** Who can read a message, from best to worst (docs/security-model.md). */
export const protectionLevel = z.enum(['e2e', 'e2ae', 'unverified', 'none']);
export type ProtectionLevel = z.infer<typeof protectionLevel>;

/** What an account, a contact or a single message demands. */
export const policy = z.enum(['require-e2e', 'prefer-e2e', 'require-e2ae', 'any']);
export type Policy = z.infer<typeof policy>;

/** `message`: immediate, by SIP MESSAGE. `msrp`: over a session. */
export const messageWay = z.enum(['message', 'msrp']);
export type MessageWay = z.infer<typeof messageWay>;

export const refusalCode = z.enum([
  'not-registered',
  'policy-not-met',
  'consent-required',
  'no-kms',
  'kms-unreachable',
  'kms-refused',
  'kms-answer-invalid',
  'bootstrapping-refused',
  'network-not-proven',
  'ticket-invalid',
  'no-network-indication',
  'fingerprint-mismatch',
  'tls-failed',
  'peer-refused',
  'peer-incompatible',
  'peer-unreachable',
  'timeout',
  'connection-lost',
  'too-large',
  'storage-failed',
  'replayed',
  'decryption-failed',
  'psk-tls-unavailable',
  'relay-unreachable',
  'relay-refused',
  'invalid-address',
]);
export type RefusalCode = z.infer<typeof refusalCode>;

/** Why something was not done. `explanation` tells what happened, what it means for the message and what to do. */
export const refusal = z.object({
  code: refusalCode,
  explanation: z.string(),
  reached: protectionLevel.optional(),
  required: policy.optional(),
  /** For `consent-required`: the level that a send with consent would reach. */
  offered: protectionLevel.optional(),
  /** For `kms-unreachable`: when the key server is tried again by itself, milliseconds since the epoch. */
  nextAttempt: z.number().optional(),
  /** True when it may have been done all the same: a message may have arrived. */
  uncertain: z.literal(true).optional(),
});
export type Refusal = z.infer<typeof refusal>;

export const registrationState = z.discriminatedUnion('state', [
  /** `expires`: seconds for which the registrar keeps the binding. */
  z.object({ state: z.literal('registered'), expires: z.number() }),
  z.object({ state: z.literal('registering') }),
  z.object({ state: z.literal('unregistered') }),
  z.object({
    state: z.literal('failed'),
    code: z.string(),
    /** SIP status code, where there was an answer. */
    status: z.number().optional(),
    explanation: z.string(),
    /** True when another attempt follows by itself. */
    willRetry: z.boolean().optional(),
    /** The server shows another certificate than the remembered one. SHA-256 of both; `pinned` may be `authority`. */
    changedCertificate: z.object({ serverName: z.string(), pinned: z.string(), shown: z.string() }).optional(),
  }),
]);
export type RegistrationState = z.infer<typeof registrationState>;

/** Whether keys for end-to-end protection can be had. Times in milliseconds since the epoch. */
export const kmsState = z.object({
  state: z.enum(['ready', 'unreachable', 'refused', 'not-configured', 'bootstrapping']),
  since: z.number(),
  /** When it is tried again by itself; with `unreachable`. */
  nextAttempt: z.number().optional(),
  /** What happened, what it means, what can be done. */
  explanation: z.string(),
  /** Seconds by which this device's clock is behind the key server's (negative: ahead), when that is worth telling. */
  clockOffsetSeconds: z.number().optional(),
});
export type KmsState = z.infer<typeof kmsState>;

/** One of the connections over which an account is reached. */
export const flowView = z.object({
  /** 1 for the server of the account, 2 for the other one. */
  number: z.int(),
  registration: registrationState,
  server: z.string().optional(),
  /** Absent while there is no connection. */
  connection: z
    .object({
      transport: z.enum(['udp', 'tcp', 'tls', 'ws', 'wss']),
      tls: z
        .object({
          version: z.string(),
          suite: z.string(),
          /** Why the certificate of the server was accepted. */
          proof: z.enum(['authority', 'pin', 'first-use']).optional(),
          /** SHA-256 of it. */
          certificate: z.string().optional(),
        })
        .optional(),
      /** Of the security agreement, as it was stated. */
      agreed: z.array(z.string()).readonly(),
    })
    .optional(),
});
export type FlowView = z.infer<typeof flowView>;

/** How long messages are kept: days, or for ever. */
export const retention = z.union([z.int().min(1), z.literal('for-ever')]);
export type Retention = z.infer<typeof retention>;

export const accountView = z.object({
  id: z.string(),
  /** Public identity, a sip: URI. */
  identity: z.string(),
  displayName: z.string().optional(),
  domain: z.string(),
  policy,
  registration: registrationState,
  /** How signalling travels to the server; absent where the server's records decide that. */
  transport: z.enum(['udp', 'tcp', 'tls', 'ws', 'wss']).optional(),
  /** URI of the key management server; absent when the account has none, and then nothing can be end-to-end. */
  kms: z.string().optional(),
  kmsState,
  /** Whether the network passes messages on to several. */
  hasGroups: z.boolean(),
  /** All that there are or should be, the preferred one first. */
  flows: z.array(flowView).readonly(),
  /** Other devices of the same user, as far as the network tells. */
  ownDevices: z.array(z.object({ name: z.string() })).readonly(),
  /** Whether contacts are watched (presence); absent where that cannot be had. */
  presence: z.object({ watches: z.boolean() }).optional(),
  /** How long messages are kept where a conversation has no rule of its own. */
  retention,
  /** Where key tickets are kept. */
  tickets: z.object({ kept: z.enum(['sealed', 'memory']), explanation: z.string() }),
});
export type AccountView = z.infer<typeof accountView>;

export const messageState = z.enum([
  /** It waits, over restarts too; `problem` tells for what. It never leaves with less than was promised. */
  'queued',
  /** It left, and nobody has said yet that it arrived; with `problem` it is sent again by itself. */
  'sent',
  'accepted',
  'delivered',
  /** The peer's device told that its user has seen it. */
  'displayed',
  'failed',
  'received',
  'undecryptable',
  'refused',
]);
export type MessageState = z.infer<typeof messageState>;

/** One of those to whom a message to several went. */
export const recipientState = z.object({ address: z.string(), state: messageState, problem: refusal.optional() });
export type RecipientState = z.infer<typeof recipientState>;

/** What an export says of a message that came out of it: nothing of it was verified on this device. */
export const importedMark = z.object({ at: z.number(), level: protectionLevel, evidence: evidence.optional() });

export const messageView = z.object({
  id: z.string(),
  accountId: z.string(),
  /** URI of the peer. */
  conversation: z.string(),
  direction: z.enum(['in', 'out']),
  from: z.string(),
  to: z.string(),
  text: z.string(),
  /** By the sender's word. */
  subject: z.string().optional(),
  /** When it was written by the sender's word and clock, milliseconds since the epoch. */
  sentAt: z.number().optional(),
  /** Milliseconds since the epoch. */
  at: z.number(),
  way: messageWay,
  /** The level reached. Says nothing while `state` is `queued` or `refused`. */
  level: protectionLevel,
  /** What proves `level`; absent for a message that never left. */
  evidence: evidence.optional(),
  state: messageState,
  problem: refusal.optional(),
  /** By which its sender can be asked for it again; absent where the sender named none in clear. */
  messageId: z.string().optional(),
  /** Sent by another device of the same user. */
  fromOtherDevice: z.literal(true).optional(),
  /** It came out of an export: `level` says nothing. */
  imported: importedMark.optional(),
  /** Of a message to several, each with what became of it. */
  recipients: z.array(recipientState).readonly().optional(),
});
export type MessageView = z.infer<typeof messageView>;

export const sessionView = z.object({
  id: z.string(),
  state: z.enum(['opening', 'open']),
  /** Present once open. */
  level: protectionLevel.optional(),
  evidence: evidence.optional(),
});
export type SessionView = z.infer<typeof sessionView>;

/** Something that the user is told in the conversation, at the time when it happened. */
export const conversationNotice = z.object({
  id: z.string(),
  at: z.number(),
  kind: z.enum(['policy-changed', 'trust-changed']),
  /** For `policy-changed`: what counts now for this contact; absent for the account's. */
  policy: policy.optional(),
  /** For `trust-changed`: what happened, what it means, what can be done. */
  explanation: z.string().optional(),
});
export type ConversationNotice = z.infer<typeof conversationNotice>;

export const conversationView = z.object({
  accountId: z.string(),
  /** URI of the peer or id of the group; with `accountId` it identifies the conversation. */
  peer: z.string(),
  /** Of a group: the addresses of all who are in it, ourselves too. */
  members: z.array(z.string()).readonly().optional(),
  /** Oldest first; absent when there is nothing to tell. */
  notices: z.array(conversationNotice).readonly().optional(),
  /** The rule of this conversation; absent when the account's holds. */
  retention: retention.optional(),
  /** What this contact demands; absent when the account's policy holds. */
  policy: policy.optional(),
  session: sessionView.optional(),
  unread: z.number().int().min(0),
  /** The file that was offered last. */
  lastFile: z.object({ name: z.string(), direction: z.enum(['in', 'out']), at: z.number() }).optional(),
  /** The peer is writing, by its device's word. */
  isPeerWriting: z.boolean().optional(),
  lastMessage: messageView.optional(),
});
export type ConversationView = z.infer<typeof conversationView>;

export const sendOutcome = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('sent'), message: messageView }),
  /** It leaves when the key server can give a key, unless it is taken back before; message events tell what becomes of it. */
  z.object({ outcome: z.literal('waiting'), message: messageView }),
  /** Too long for a message in a session: it stands in the conversation as a file that is offered. */
  z.object({ outcome: z.literal('offered'), fileId: z.string() }),
  /** Nothing left. The attempt stays in the conversation as a message in state `refused` until replaced or discarded. */
  z.object({ outcome: z.literal('refused'), refusal, message: messageView }),
]);
export type SendOutcome = z.infer<typeof sendOutcome>;

export const sessionOutcome = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('opened'), session: sessionView }),
  z.object({ outcome: z.literal('refused'), refusal }),
]);
export type SessionOutcome = z.infer<typeof sessionOutcome>;
