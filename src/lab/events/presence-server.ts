import { utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { randomId } from '../../base/random.ts';
import { secureRandom } from '../../crypto/random.ts';
import { readXml } from '../../protocol/xml/index.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { Flow } from '../edge/flow.ts';
import type { ForwardingTools, RequestHandler, RequestService } from '../edge/forwarding-tools.ts';
import { replyTo } from '../edge/replies.ts';
import type { LabUser } from '../users.ts';
import { Subscriptions, type EventState } from './subscriptions.ts';

interface Publication {
  readonly state: EventState;
  readonly cancelExpiry: () => void;
}

const defaultSeconds = 3600;
const maxPublications = 20;
const contentType = 'application/pidf+xml';

/**
 * Presence (RFC 3856) from what devices publish (RFC 3903). Every registered user may watch every other; of several
 * publications of one user the newest is shown.
 */
export class PresenceServer implements RequestService {
  readonly #tools: ForwardingTools;
  readonly #subscriptions: Subscriptions;
  /** By entity tag, oldest first. */
  readonly #publications = new Map<LabUser, Map<string, Publication>>();

  constructor(tools: ForwardingTools) {
    this.#tools = tools;
    this.#subscriptions = new Subscriptions({
      event: 'presence',
      tools,
      defaultSeconds,
      mayWatch: () => true,
      state: ({ resource }) => this.#state(resource),
    });
  }

  claim(request: SipMessage): RequestHandler | undefined {
    if (this.#subscriptions.handles(request)) {
      return (flow, sender, claimed) => this.#subscriptions.subscribe(flow, sender, claimed);
    }
    if (request.method !== 'PUBLISH') return undefined;
    return (flow, sender, claimed) => this.#publish(flow, sender, claimed);
  }

  stop(): void {
    for (const publications of this.#publications.values()) {
      for (const { cancelExpiry } of publications.values()) cancelExpiry();
    }
    this.#publications.clear();
    this.#subscriptions.stop();
  }

  /** RFC 3903 6. */
  #publish(flow: Flow, sender: LabUser, request: SipMessage): void {
    const event = request.headers.get('Event')?.split(';', 1)[0]?.trim().toLowerCase();
    if (event !== 'presence') {
      const refused = replyTo(request, 489);
      refused.headers.add('Allow-Events', 'presence');
      flow.send(refused);
      return;
    }
    const uri = request.start.kind === 'request' ? request.start.uri : '';
    // Everybody speaks for oneself only.
    if (this.#tools.registrar.userOf(uri) !== sender) flow.send(replyTo(request, 403));
    else flow.send(this.#published(sender, request));
  }

  #published(user: LabUser, request: SipMessage): SipMessage {
    const publications = this.#publications.get(user) ?? new Map<string, Publication>();
    const known = request.headers.get('SIP-If-Match');
    const old = known === undefined ? undefined : publications.get(known);
    if (known !== undefined && old === undefined) return replyTo(request, 412);
    const hasBody = request.body.length > 0;
    // RFC 3903 4.1: the first one needs a body.
    if (old === undefined && !hasBody) return replyTo(request, 400);
    if (hasBody && !isPidf(request)) return unsupportedType(request);
    if (old === undefined && publications.size >= maxPublications) return replyTo(request, 503);
    const asked = Number.parseInt(request.headers.get('Expires') ?? String(defaultSeconds), 10);
    const seconds = Math.min(Number.isNaN(asked) ? defaultSeconds : asked, defaultSeconds);
    old?.cancelExpiry();
    if (known !== undefined) publications.delete(known);
    const tag = randomId(secureRandom);
    const state = hasBody ? { contentType, body: request.body } : (old?.state ?? closed(user));
    if (seconds > 0) {
      publications.set(tag, {
        state,
        cancelExpiry: this.#tools.timers.after(seconds * 1000, () => {
          publications.delete(tag);
          this.#subscriptions.notify(user);
        }),
      });
    }
    this.#publications.set(user, publications);
    if (hasBody || seconds === 0) this.#subscriptions.notify(user);
    const reply = replyTo(request, 200);
    reply.headers.add('SIP-ETag', tag).add('Expires', String(seconds));
    return reply;
  }

  #state(user: LabUser): EventState {
    return [...(this.#publications.get(user)?.values() ?? [])].at(-1)?.state ?? closed(user);
  }
}

/** What is said of somebody of whom nothing is known (RFC 3863 4.1). */
function closed({ identity, name }: LabUser): EventState {
  return {
    contentType,
    body: utf8(
      '<?xml version="1.0" encoding="UTF-8"?>\r\n' +
        `<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${identity}">` +
        `<tuple id="${name}"><status><basic>closed</basic></status></tuple></presence>\r\n`,
    ),
  };
}

function isPidf(request: SipMessage): boolean {
  if (!/^application\/pidf\+xml\b/i.test(request.headers.get('Content-Type') ?? '')) return false;
  try {
    const { name, namespace } = readXml(request.body, 'pidf');
    return name === 'presence' && namespace === 'urn:ietf:params:xml:ns:pidf';
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

function unsupportedType(request: SipMessage): SipMessage {
  const reply = replyTo(request, 415);
  reply.headers.add('Accept', contentType);
  return reply;
}
