/** Whether keys can be had, in the words of the screens. */
export type KmsStateName = 'ready' | 'unreachable' | 'refused' | 'not-configured' | 'bootstrapping';

export interface KmsState {
  readonly state: KmsStateName;
  /** Milliseconds since 1970, as `nextAttempt`. */
  readonly since: number;
  /** When it is tried again by itself; present exactly for `unreachable`. */
  readonly nextAttempt?: number;
  /** What happened, what it means, what can be done. */
  readonly explanation: string;
  /** Seconds by which this device's clock is behind the KMS's (negative: ahead); present when it is worth telling. */
  readonly clockOffsetSeconds?: number;
}

/** What each state means for the user, after the sentence that tells what happened. */
const meanings: Readonly<Record<KmsStateName, string>> = {
  ready: 'Messages can be protected end to end.',
  unreachable:
    'Messages that must be end-to-end wait and are sent when it answers again; nothing is sent with less protection. Check the network, or try now.',
  refused:
    'Nothing new can be protected end to end until that is settled. Check the key configured for this account, and ask the operator of the server.',
  'not-configured': 'Nothing can be protected end to end. Configure a key management server for this account.',
  bootstrapping: 'Messages that must be end-to-end are sent as soon as it is there.',
};

/** @param happened a sentence without its full stop. */
export function explainKmsState(state: KmsStateName, happened: string): string {
  return `${happened}. ${meanings[state]}`;
}
