import type { SipMessage } from '../../protocol/sip/message.ts';
import type { Binding, Target } from './bindings.ts';
import type { Destination } from './forwarding.ts';
import { retarget } from './request-rules.ts';

/** Takes the first binding whose flow is open out of those that were not tried yet. */
export function firstOpen(untried: Binding[]): Binding | undefined {
  for (let binding = untried.shift(); binding !== undefined; binding = untried.shift()) {
    if (binding.flow.isOpen) return binding;
  }
  return undefined;
}

/** A copy of the request for a device, and the copies for its other flows, for `Forwarding.add`. */
export function toDevice(
  request: SipMessage,
  [first, ...others]: Target,
): [Destination, () => Destination | undefined] {
  const aimed = ({ flow, contact }: Binding): Destination => ({ flow, request: retarget(request, contact.uri) });
  return [
    aimed(first),
    () => {
      const binding = firstOpen(others);
      return binding && aimed(binding);
    },
  ];
}
