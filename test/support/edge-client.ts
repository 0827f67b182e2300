import type { EnginePorts, NetworkChange, NetworkWatch, SipProtocol } from '../../src/engine/ports.ts';
import type { IncomingMessage, SipAccount } from '../../src/engine/sip/index.ts';
import { SipMessage } from '../../src/protocol/sip/message.ts';
import { ScriptedEdge, ScriptedEdges, type EdgeRequest } from './scripted-edges.ts';
import { createClientOf, settled, type SipClient } from './sip-client.ts';

export interface EdgeClient extends Omit<SipClient, 'server'> {
  readonly network: ScriptedEdges;
  readonly first: ScriptedEdge;
  readonly second: ScriptedEdge;
  readonly incoming: IncomingMessage[];
  /** The machine tells of a change. */
  readonly change: (change: NetworkChange) => void;
  /** Lets time pass in steps in which everything that waits for its turn happens. */
  readonly pass: (milliseconds: number, step?: number) => Promise<void>;
}

export const outbound = { Require: 'outbound' };

/** Two edges at 198.51.100.1 and .2, both places of the server `edges`. */
export function createEdgeClient(
  protocol: SipProtocol = 'tcp',
  account: Partial<SipAccount> = {},
  more: Partial<EnginePorts> = {},
): EdgeClient {
  const first = new ScriptedEdge('198.51.100.1', [protocol, 'tcp']);
  const second = new ScriptedEdge('198.51.100.2', [protocol, 'tcp']);
  const network = new ScriptedEdges([first, second], [protocol]);
  const listeners = new Set<(change: NetworkChange) => void>();
  const watch: NetworkWatch = {
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const client = createClientOf(
    network,
    { target: { host: 'edges', protocol }, ...account },
    { network: watch, ...more },
  );
  const incoming: IncomingMessage[] = [];
  client.userAgent.events.on('message', (message) => incoming.push(message));
  const pass = async (milliseconds: number, step = 2_500): Promise<void> => {
    for (let left = milliseconds; left > 0; left -= step) {
      client.clock.advance(Math.min(left, step));
      await settled();
    }
  };
  const change = (event: NetworkChange): void => {
    for (const listener of [...listeners]) listener(event);
  };
  return { ...client, network, first, second, incoming, change, pass };
}

/** An edge whose registrar takes every binding; other requests get `status`. */
export function accepting(more: Record<string, string | string[]> = {}, status = 200): (request: EdgeRequest) => void {
  return ({ message, reply }) => {
    if (message.method !== 'REGISTER') {
      reply(status);
      return;
    }
    const contact = message.headers.get('Contact') ?? '';
    if (contact.endsWith('expires=0')) reply(200);
    else reply(200, { Contact: contact, ...more });
  };
}

let branches = 0;

/** A request to the client over an edge, with a branch of its own. */
export function requestTo(edge: ScriptedEdge, method: string, headers: Record<string, string> = {}): SipMessage {
  const request = SipMessage.request(method, edge.contactUri());
  const basics = {
    Via: `SIP/2.0/UDP ${edge.address}:5060;branch=z9hG4bKedge${++branches}`,
    'Max-Forwards': '70',
    From: '<sip:bob@lab.test>;tag=b0b',
    To: '<sip:alice@lab.test>',
    'Call-ID': `call-${branches}`,
    CSeq: `1 ${method}`,
    'Content-Type': 'text/plain',
  };
  for (const [name, value] of Object.entries({ ...basics, ...headers })) request.headers.add(name, value);
  return request;
}
