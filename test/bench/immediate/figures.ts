/** About what a 200 to a MESSAGE has. */
export const answerOctets = 500;

/** What a run of messages from one end to the other costs. */
export interface MessageFigures {
  readonly perSecond: number;
  /** Processor time of everything that takes part, a message. */
  readonly cpuMilliseconds: number;
}

/** What `one-core.ts` prints. */
export type OneCoreFigures = Readonly<
  Record<
    'e2e' | 'e2ae',
    MessageFigures & {
      /** Of a MESSAGE as it passes the edge, on average. */
      readonly octets: number;
    }
  >
>;

/** What `engine-start.ts` prints, in milliseconds. */
export interface StartFigures {
  /** From the start of the process. */
  readonly process: number;
  /** From `new Engine`. */
  readonly engine: number;
  readonly conversations: number;
}
