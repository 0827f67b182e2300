import { ProtocolError } from '../../base/errors.ts';
import { randomId } from '../../base/random.ts';
import { secureRandom } from '../../crypto/random.ts';
import {
  decodeMultipart,
  encodeMultipart,
  headerValue,
  parseMediaType,
  type MimeEntity,
} from '../../protocol/mime/index.ts';
import { headerList, parseSipUri } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import { readXml, type XmlElement } from '../../protocol/xml/index.ts';
import type { Flow } from '../edge/flow.ts';
import type { ForwardingTools, RequestHandler, RequestService } from '../edge/forwarding-tools.ts';
import { replyTo } from '../edge/replies.ts';
import { prepareForForwarding } from '../edge/request-rules.ts';
import type { LabUser } from '../users.ts';

export interface ListServiceOptions {
  /** `sip:list@lab.test`. */
  readonly uri: string;
  readonly tools: ForwardingTools;
}

const optionTag = 'recipient-list-message';
const maxRecipients = 100;
const lists = 'urn:ietf:params:xml:ns:resource-lists';

/** What a request holds: the recipients, and the message without their list. */
interface ListMessage {
  readonly recipients: readonly string[];
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** One MESSAGE with a list of recipients becomes one MESSAGE for each of them (RFC 5365). */
export class ListService implements RequestService {
  readonly #options: ListServiceOptions;

  constructor(options: ListServiceOptions) {
    this.#options = options;
  }

  claim(request: SipMessage): RequestHandler | undefined {
    const uri = request.start.kind === 'request' ? request.start.uri : '';
    if (request.method !== 'MESSAGE' || !/^sips?:/i.test(uri)) return undefined;
    const { user, host } = parseSipUri(uri);
    if (`sip:${user ?? ''}@${host}` !== this.#options.uri) return undefined;
    return (flow, sender, claimed) => this.#explode(flow, sender, claimed);
  }

  #explode(flow: Flow, sender: LabUser, request: SipMessage): void {
    this.#options.tools.capture(request);
    const isDemanded = headerList(request, 'Require').some((tag) => tag.toLowerCase() === optionTag);
    if (!isDemanded) {
      const reply = replyTo(request, 421);
      reply.headers.add('Require', optionTag);
      flow.send(reply);
      return;
    }
    const list = readListMessage(request);
    const users = list.recipients.map((uri) => this.#userOf(uri));
    const nobody = list.recipients.filter((_, index) => users[index] === undefined);
    if (nobody.length > 0) {
      // Told at once, rather than lost after a 202.
      const reply = replyTo(request, 404, 'Recipient Not Found');
      reply.headers.add('Warning', `399 lab.test "no such recipient: ${nobody.join(' ').replaceAll(/["\\]/g, '')}"`);
      flow.send(reply);
      return;
    }
    const isKept = users.every(
      (user, index) =>
        user !== undefined &&
        this.#options.tools.submit(this.#copy(request, sender, list, list.recipients[index] ?? ''), user),
    );
    flow.send(replyTo(request, isKept ? 202 : 503));
  }

  #userOf(uri: string): LabUser | undefined {
    try {
      return this.#options.tools.registrar.userOf(uri);
    } catch (error) {
      if (error instanceof ProtocolError) return undefined;
      throw error;
    }
  }

  /** A request of the service's own (RFC 5365 7.2): a new dialogless transaction, asserted as the sender's. */
  #copy(request: SipMessage, sender: LabUser, list: ListMessage, recipient: string): SipMessage {
    const copy = prepareForForwarding(request, { asserted: sender, isOurRoute: () => true });
    copy.start = { kind: 'request', method: 'MESSAGE', uri: recipient };
    for (const name of ['Via', 'Require', 'Contact', 'Authorization', 'Proxy-Authorization']) copy.headers.remove(name);
    copy.headers.set('To', `<${recipient}>`).set('Call-ID', randomId(secureRandom, 16)).set('CSeq', '1 MESSAGE');
    if (list.contentType === '') copy.headers.remove('Content-Type');
    else copy.headers.set('Content-Type', list.contentType);
    copy.body = list.body;
    return copy;
  }
}

/** @throws ProtocolError hint sip 400 without a list that can be read, 403 for one that is too long */
function readListMessage(request: SipMessage): ListMessage {
  const mediaType = parseMediaType(request.headers.get('Content-Type') ?? '');
  const parts = decodeMultipart(mediaType, request.body);
  const list = parts.find(isRecipientList);
  if (list === undefined) throw wrongList('missing', 'a part with Content-Disposition recipient-list');
  const root = readXml(list.body, 'recipientList');
  const recipients = [...new Set(entriesOf(root))];
  if (recipients.length === 0) throw wrongList('empty', 'one recipient at least');
  if (recipients.length > maxRecipients) throw wrongList('too long', `at most ${maxRecipients} recipients`, 403);
  const others = parts.filter((part) => part !== list);
  const [only] = others;
  // RFC 5365 7.3: what remains of a multipart with one part is that part.
  if (others.length === 1 && only !== undefined) {
    return { recipients, contentType: headerValue(only.headers, 'Content-Type') ?? '', body: only.body };
  }
  if (others.length === 0) return { recipients, contentType: '', body: new Uint8Array() };
  return { recipients, ...encodeMultipart({ subtype: 'mixed', parts: others, random: secureRandom }) };
}

function isRecipientList({ headers }: MimeEntity): boolean {
  return (
    /^recipient-list\b/i.test(headerValue(headers, 'Content-Disposition')?.trim() ?? '') &&
    /^application\/resource-lists\+xml\b/i.test(headerValue(headers, 'Content-Type') ?? '')
  );
}

/** All entries, also of lists inside lists (RFC 4826 3.1). */
function entriesOf(element: XmlElement): string[] {
  if (element.namespace !== lists) throw wrongList('another format', 'resource-lists (RFC 4826)');
  return element.children.flatMap((child) => {
    if (child.namespace !== lists) return [];
    if (child.name === 'entry') return child.attributes['uri'] === undefined ? [] : [child.attributes['uri']];
    return child.name === 'list' ? entriesOf(child) : [];
  });
}

function wrongList(problem: string, expected: string, sip = 400): ProtocolError {
  return new ProtocolError('malformed', problem, { field: 'recipientList', expected, hint: { sip } });
}
