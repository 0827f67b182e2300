import { describeError } from '../base/errors.ts';
import type { Policy, ProtectionLevel } from '../base/protection-level.ts';

export const refusalCodes = [
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
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

/** Why something was not done, as an answer and not as an accident. Never carries a secret or a message text. */
export interface Refusal {
  readonly code: RefusalCode;
  /** What happened, what it means for the message, what can be done. */
  readonly explanation: string;
  /** The level that was or would have been reached, where that is the reason. */
  readonly reached?: ProtectionLevel;
  /** The policy that forbade it. */
  readonly required?: Policy;
  /** For `consent-required`: the level to which the user may agree. */
  readonly offered?: ProtectionLevel;
  /** For `kms-unreachable`: when the key management server is tried again by itself, milliseconds since 1970. */
  readonly nextAttempt?: number;
  /** True when it may have been done all the same: a message may have arrived. */
  readonly uncertain?: true;
}

export type RefusalDetails = Omit<Refusal, 'code' | 'explanation' | 'uncertain'> & {
  /** Replaces the first sentence of the explanation by something more exact; without the full stop. */
  readonly happened?: string;
};

interface Words {
  readonly happened: string;
  readonly advice: string;
  /** What stands instead when the refused thing came from the other side: there is nothing that one could send again. */
  readonly incoming?: { readonly happened?: string; readonly advice: string };
  /** What stands instead for a message that waits. */
  readonly waiting?: { readonly advice: string };
  /** What stands instead for a file. */
  readonly file?: { readonly happened?: string; readonly advice: string };
}

/** The middle sentence, what it means for the message, is the same for every refusal: see `refusal`. */
const words: Readonly<Record<RefusalCode, Words>> = {
  'not-registered': {
    happened: 'This account is not registered with the network',
    advice: 'Register, then try again.',
    waiting: { advice: 'Register; you can also take it back.' },
  },
  'policy-not-met': {
    happened: 'The protection that could be had is weaker than what the policy for this contact demands',
    advice: 'Try again later, or change the policy for this contact.',
    incoming: {
      happened: 'It came with weaker protection than the policy for this contact demands',
      advice: 'Ask the other side to protect it better, or change the policy for this contact.',
    },
  },
  'consent-required': {
    happened: 'End-to-end protection could not be had',
    advice: 'Agree to the weaker level that is offered, or try again later.',
  },
  'no-kms': {
    happened: 'This account has no key management server, without which nothing can be protected end to end',
    advice: 'Configure a key management server for this account.',
  },
  'kms-unreachable': {
    happened: 'The key management server gave no usable answer',
    advice: 'Check the network and try again.',
    incoming: { advice: 'Check the network: without this server nothing that is protected end to end can be read.' },
  },
  'kms-refused': {
    happened: 'The key management server refused to give a key',
    advice: 'Ask the operator of the key management server whether you and this contact may use it.',
  },
  'kms-answer-invalid': {
    happened: 'The answer of the key management server failed its checks and was not used',
    advice: 'Check the key configured for this account; if it is right, somebody may be posing as the server.',
  },
  'bootstrapping-refused': {
    happened: 'The network made no key for this account',
    advice: 'Check the SIM or the password of this account; if it is right, ask the operator of the network.',
  },
  'network-not-proven': {
    happened: 'The server that makes the key did not prove that it belongs to the network of this account',
    advice:
      'Check the SIM or the password of this account; if it is right, somebody may be posing as the network: tell its operator.',
  },
  'ticket-invalid': {
    happened: 'The key ticket was not valid for this conversation',
    advice: 'Try again; if it goes on, tell the operator of the key management server.',
    incoming: { advice: 'Ask the other side to try again with a fresh ticket.' },
  },
  'no-network-indication': {
    happened: 'The network did not say that it protects this session to its edge',
    advice: 'Use end-to-end protection, or ask the operator whether its network indicates this protection.',
    incoming: {
      advice: 'Ask the other side for end-to-end protection, or the operator whether its network indicates this one.',
    },
  },
  'fingerprint-mismatch': {
    happened: 'The other end of the encrypted connection is not the one that was announced',
    advice: 'Somebody may be in between: try again on another network, and tell the operator if it goes on.',
    incoming: { advice: 'Somebody may be in between: tell the operator if it goes on.' },
  },
  'tls-failed': {
    happened: 'The encrypted connection could not be set up',
    advice: 'Try again; if it goes on, somebody may be disturbing or posing as the other side.',
    incoming: { advice: 'If it goes on, somebody may be disturbing or posing as the other side.' },
  },
  'peer-refused': {
    happened: 'The other side refused',
    advice: 'Try again later or reach the contact otherwise.',
    incoming: { advice: 'The other side may try again.' },
  },
  'peer-incompatible': {
    happened: 'The other side does not understand this kind of protection or message',
    advice: 'Try the other way of sending, or agree on a protection that both sides have.',
    incoming: {
      happened: 'What came is of a kind that is not understood here',
      advice: 'Agree with the other side on a kind of message and a protection that both have.',
    },
  },
  'peer-unreachable': {
    happened: 'The other side could not be reached',
    advice: 'Check the address, or try again later.',
    incoming: { advice: 'The other side may try again.' },
  },
  timeout: {
    happened: 'No answer came in time',
    advice: 'Check the network and try again.',
    incoming: { advice: 'Check the network; the other side may try again.' },
  },
  'connection-lost': {
    happened: 'The connection was lost',
    advice: 'Check the network and try again.',
    incoming: { advice: 'Check the network; the other side may try again.' },
  },
  'too-large': {
    happened: 'The message is too large for this way of sending',
    advice: 'Send it in a session instead, or shorten it.',
    incoming: {
      happened: 'It is larger than what is taken here',
      advice: 'Ask the other side for something smaller, or raise the limit of this account.',
    },
    file: { advice: 'Send it in smaller parts.' },
  },
  'storage-failed': {
    happened: 'It could not be stored on this machine',
    advice: 'Make room on the disk, then try again.',
    file: {
      happened: 'The file could not be stored on this machine',
      advice: 'Make room on the disk and check the folder for received files, then resume.',
    },
    incoming: { advice: 'Make room on the disk and check the folder for received files.' },
  },
  replayed: {
    happened: 'The same message had come before; this copy was dropped',
    advice: 'Nothing needs to be done; if it happens often, somebody may be repeating your messages.',
  },
  'decryption-failed': {
    happened: 'The message could not be decrypted: it was changed on the way or made with another key',
    advice: 'Send it again; if it goes on, somebody may be changing your messages on the way.',
    incoming: { advice: 'Ask the sender to send it again.' },
  },
  'psk-tls-unavailable': {
    happened: 'This build cannot do TLS with pre-shared keys, which end-to-end sessions need',
    advice: 'Send it as a single message instead, or use another build.',
    incoming: { advice: 'Ask the other side for a single message instead, or use another build.' },
  },
  'relay-unreachable': {
    happened: 'The relay of this account could not be reached',
    advice: 'Check the network and the address of the relay, then try again.',
    incoming: { advice: 'Check the network and the address of the relay; the other side may try again.' },
  },
  'relay-refused': {
    happened: 'The relay of this account refused to serve it',
    advice: 'Check the user name and password for the relay, or ask its operator.',
  },
  'invalid-address': {
    happened: 'This is not an address to which a message can be sent',
    advice: 'Give an address like sip:name@example.org.',
  },
};

const nothingToDo = 'Nothing needs to be done; you can also take it back.';

/** What a refusal means for the thing that was refused. */
const meanings = {
  message: 'The message was not sent.',
  session: 'No session was opened and nothing was sent.',
  received: 'The message is not shown.',
  invitation: 'The session that the other side wanted was not opened.',
  waiting:
    'The message waits here and is sent by itself as soon as that can be done, and never with less protection than was promised.',
  again:
    'It is not known whether the message arrived; it is sent again by itself, and the other side can tell that it is the same one.',
  uncertain: 'It is not known whether the message arrived.',
  file: 'The file has not arrived whole.',
  'file-offer': 'The file that the other side offered was not taken.',
} as const;
export type RefusalMeaning = keyof typeof meanings;

export function refusal(code: RefusalCode, meaning: RefusalMeaning = 'message', details: RefusalDetails = {}): Refusal {
  const isIncoming = meaning === 'received' || meaning === 'invitation' || meaning === 'file-offer';
  const said = {
    ...words[code],
    ...(isIncoming ? words[code].incoming : {}),
    ...(meaning === 'waiting' ? (words[code].waiting ?? { advice: nothingToDo }) : {}),
    ...(meaning === 'again' ? { advice: 'Nothing needs to be done.' } : {}),
    ...(meaning === 'file' ? words[code].file : {}),
  };
  const { happened = said.happened, ...rest } = details;
  const explanation = `${happened}. ${meanings[meaning]} ${said.advice}`;
  return { code, explanation, ...rest, ...(meaning === 'uncertain' ? { uncertain: true } : {}) };
}

/** Carries a refusal through layers that answer by throwing. */
export class RefusalError extends Error {
  override readonly name = 'RefusalError';
  readonly code: RefusalCode;
  readonly meaning: RefusalMeaning;
  readonly details: RefusalDetails;

  constructor(code: RefusalCode, meaning: RefusalMeaning, details: RefusalDetails, cause?: unknown) {
    super(details.happened ?? words[code].happened, cause === undefined ? undefined : { cause });
    this.code = code;
    this.meaning = meaning;
    this.details = details;
  }

  /** What happened, without what it means and what to do. */
  get happened(): string {
    return this.message;
  }

  refusal(meaning: RefusalMeaning = this.meaning): Refusal {
    return refusal(this.code, meaning, this.details);
  }
}

/** For `throw`. @param meaning what it means where it is thrown; whoever catches it may know better. */
export function refuse(
  code: RefusalCode,
  meaning: RefusalMeaning = 'message',
  details: RefusalDetails & { readonly cause?: unknown } = {},
): RefusalError {
  const { cause, ...rest } = details;
  return new RefusalError(code, meaning, rest, cause);
}

/** The refusal that an error carries, or `fallback` for an error that carries none. */
export function asRefusalError(error: unknown, fallback: RefusalCode): RefusalError {
  if (error instanceof RefusalError) return error;
  const happened = `${words[fallback].happened} (${describeError(error)})`;
  return new RefusalError(fallback, 'message', { happened }, error);
}
