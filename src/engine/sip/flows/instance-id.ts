import { describeError } from '../../../base/errors.ts';
import { randomUuid } from '../../../base/uuid.ts';
import type { EnginePorts } from '../../ports.ts';
import type { SipAccount } from '../types.ts';

/** One for all flows, and for as long as the user agent lives where nobody keeps another. */
export function instanceOf({ random, log }: EnginePorts, { instanceId }: SipAccount): () => Promise<string> {
  let known: Promise<string> | undefined;
  const find = async (): Promise<string> => {
    try {
      return typeof instanceId === 'function' ? await instanceId() : (instanceId ?? randomUuid(random));
    } catch (error) {
      log.log('warn', 'sip.instance-not-kept', { reason: describeError(error) });
      return randomUuid(random);
    }
  };
  return () => (known ??= find());
}
