import type { Clock } from '../../base/clock.ts';
import type { EstablishedStream } from '../sessions/session-opener.ts';

/** How long after its connection a session may take to say why it ended. */
const graceMilliseconds = 2_000;

/** Listens for the end of a session from now on; what its BYE said tells a pause from a lost connection. */
export function whyEnded(
  { sip, channel }: Pick<EstablishedStream, 'sip' | 'channel'>,
  clock: Clock,
): { readonly reason: () => Promise<string | undefined> } {
  let said: string | undefined;
  let tell: (why: string) => void = () => undefined;
  sip.onEnded((why) => {
    said = why;
    tell(why);
    channel.close();
  });
  return {
    reason: () =>
      said !== undefined
        ? Promise.resolve(said)
        : new Promise((resolve) => {
            const cancel = clock.after(graceMilliseconds, () => resolve(undefined));
            tell = (why) => {
              cancel();
              resolve(why);
            };
          }),
  };
}
