import { describeError } from '../../../base/errors.ts';
import type { EnginePorts } from '../../ports.ts';
import type { SipJs } from '../create-sipjs.ts';
import type { InviteContext } from '../invite-context.ts';
import { settleWithin } from '../settle-within.ts';

const milliseconds = 4_000;

/**
 * Ends everything that runs over a flow, and the flow: within a bounded time, whatever the server does. Never rejects.
 * @param unregister gives the binding back.
 */
export async function endFlow(
  { clock, log }: Pick<EnginePorts, 'clock' | 'log'>,
  { transport, userAgent }: SipJs,
  { pending, sessions }: InviteContext,
  unregister: () => Promise<unknown>,
): Promise<void> {
  for (const giveUp of pending) giveUp();
  const ends = [...sessions].map((session) => session.end('the user agent stops'));
  await settleWithin(clock, milliseconds, Promise.all([...ends, unregister()]));
  try {
    // First the connection, which answers what is still open; then the transactions with their timers.
    await transport.disconnect();
    await userAgent.stop();
  } catch (error) {
    log.log('warn', 'sip.stop', { reason: describeError(error) });
  }
}
