import type { SipMessage } from '../../protocol/sip/message.ts';
import { supports, addPath } from './registered-reply.ts';
import { nameTracks } from './edge.ts';
import type { Flow } from './flow.ts';
import { Proxy } from './proxy.ts';
import type { ProxyOptions } from './forwarding-tools.ts';
import { noteSource } from './request-rules.ts';

/** What stands behind the edges: registrar and proxy, which get everything that comes over any flow. */
export class Core {
  readonly proxy: Proxy;
  readonly #options: ProxyOptions;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.proxy = new Proxy(options);
  }

  message(flow: Flow, message: SipMessage): void {
    if (message.start.kind === 'response') {
      this.proxy.response(flow, message);
      return;
    }
    noteSource(message, flow);
    if (message.method === 'REGISTER') this.#register(flow, message);
    else this.proxy.request(flow, message);
  }

  closed(flow: Flow): void {
    this.#options.registrar.bindings.removeFlow(flow);
    this.proxy.flowClosed(flow);
  }

  stop(): void {
    this.proxy.stop();
  }

  #register(flow: Flow, request: SipMessage): void {
    const { registrar } = this.#options;
    if (supports(request, 'path')) addPath(request, flow);
    flow.send(registrar.register(flow, request));
    const binding = registrar.bindings.onFlow(flow);
    if (binding === undefined) return;
    nameTracks(flow);
    this.proxy.deliverStored(binding);
  }
}
