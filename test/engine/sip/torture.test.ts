import { afterEach, describe, expect, it } from 'vitest';
import { concatBytes, fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import type { SipUserAgent } from '../../../src/engine/sip/index.ts';
import { serialiseSipMessage } from '../../../src/protocol/sip/message.ts';
import { expectations, type Answer } from '../../protocol/sip/torture/expectations.ts';
import { tortureMessages } from '../../protocol/sip/torture/messages.ts';
import { createRegisteredClient, settled, type SipClient } from '../../support/sip-client.ts';

const started: SipUserAgent[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((userAgent) => userAgent.stop()));
});

interface Tortured extends SipClient {
  /** What reached the application; it refuses calls with 486. */
  readonly reached: Answer[];
}

async function registered(protocol: 'udp' | 'tcp'): Promise<Tortured> {
  const client = await createRegisteredClient({ target: { host: '127.0.0.1', port: 5060, protocol, security: 'any' } });
  started.push(client.userAgent);
  const reached: Answer[] = [];
  client.userAgent.events.on('message', ({ respond }) => {
    reached.push('message');
    respond(200);
  });
  client.userAgent.events.on('invite', ({ reject }) => {
    reached.push('invite');
    reject(486);
  });
  return { ...client, reached };
}

const octetsOf = (name: string): Uint8Array => tortureMessages.get(name) ?? new Uint8Array();

/** The message with our Contact in its request line, where that is a SIP URI. */
function addressed(bytes: Uint8Array, uri: string): Uint8Array {
  const end = bytes.indexOf(0x0d);
  const line = fromUtf8(bytes.subarray(0, end)).replace(/ sips?:[^ >?]*/, ` ${uri}`);
  return concatBytes(utf8(line), bytes.subarray(end));
}

/** Final answers to one message, and what reached the application. */
async function answerTo({ server, reached }: Tortured, bytes: Uint8Array): Promise<Answer[]> {
  const before = server.responses.length;
  reached.length = 0;
  server.sendBytes(bytes);
  await settled();
  const finals = server.responses.slice(before).flatMap(({ status = 0 }) => (status < 200 ? [] : [status]));
  return reached.length > 0 ? [...reached] : finals;
}

/** Whether a message still gets through both ways. */
async function goesOn(client: Tortured): Promise<void> {
  const { server, userAgent } = client;
  const request = server.createRequest('MESSAGE', server.contactUri(), { 'Content-Type': 'text/plain' }, utf8('Hello'));
  expect(await answerTo(client, serialiseSipMessage(request))).toEqual(['message']);
  expect(userAgent.registration.state).toBe('registered');
}

const answers = (answer: Answer): Answer[] => (answer === 'none' ? [] : [answer]);

describe('a registered user agent that gets the messages of RFC 4475 in datagrams', () => {
  it('answers each as it is to be answered, and goes on', async () => {
    const client = await registered('udp');
    for (const { name, exact } of expectations) {
      expect({ name, answers: await answerTo(client, octetsOf(name)) }).toEqual({ name, answers: answers(exact) });
      await goesOn(client);
    }
  });

  it('answers each that is for it, and goes on', async () => {
    const client = await registered('udp');
    for (const { name, addressed: expected } of expectations) {
      const bytes = addressed(octetsOf(name), client.server.contactUri());
      expect({ name, answers: await answerTo(client, bytes) }).toEqual({ name, answers: answers(expected) });
      await goesOn(client);
    }
  });

  it('says what it does not support, and which methods it takes', async () => {
    const client = await registered('udp');
    await answerTo(client, octetsOf('bext01'));
    expect(client.server.responses.at(-1)?.headers.get('Unsupported')).toBe(
      'nothingSupportsThis, nothingSupportsThisEither',
    );
    await answerTo(client, octetsOf('intmeth'));
    expect(client.server.responses.at(-1)?.headers.get('Allow')).toContain('MESSAGE');
    await answerTo(client, octetsOf('badvers'));
    expect(client.server.responses.at(-1)?.start).toMatchObject({ reason: 'Version Not Supported' });
  });

  it('answers a refused request again when it comes again, and one of another place by itself', async () => {
    const client = await registered('udp');
    expect(await answerTo(client, octetsOf('unkscm'))).toEqual([416]);
    expect(await answerTo(client, octetsOf('unkscm'))).toEqual([416]);
    const uri = client.server.contactUri();
    // Both have the branch z9hG4bKkdjuw, from different hosts.
    expect(await answerTo(client, addressed(octetsOf('lwsdisp'), uri))).toEqual([200]);
    expect(await answerTo(client, addressed(octetsOf('semiuri'), uri))).toEqual([200]);
    const [first, second] = client.server.responses.slice(-2).map(({ headers }) => headers.get('Via'));
    expect([first, second]).toEqual([
      'SIP/2.0/UDP funky.example.com;branch=z9hG4bKkdjuw',
      'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw',
    ]);
    // These have none.
    expect(await answerTo(client, addressed(octetsOf('longreq'), uri))).toEqual(['invite']);
    expect(client.server.responses.at(-1)?.headers.getAll('Via')[0]).toBe('SIP/2.0/TCP sip33.example.com');
    expect(await answerTo(client, addressed(octetsOf('inv2543'), uri))).toEqual([400]);
    expect(client.server.responses.at(-1)?.headers.get('Via')).toBe('SIP/2.0/UDP iftgw.example.com');
  });
});

describe('a registered user agent that gets them over a stream', () => {
  // dblreq is a datagram: in a stream what follows its body is another message, and broken.
  const framed = expectations.filter(({ name, stream }) => stream === undefined && name !== 'dblreq');

  it('answers each as it is to be answered, and goes on', async () => {
    const client = await registered('tcp');
    for (const { name, exact } of framed) {
      expect({ name, answers: await answerTo(client, octetsOf(name)) }).toEqual({ name, answers: answers(exact) });
    }
    await goesOn(client);
  });

  it.each(expectations.filter(({ stream }) => stream === 'closed'))(
    'closes the connection where $name cannot be framed, and comes back',
    async ({ name }) => {
      const client = await registered('tcp');
      expect(await answerTo(client, octetsOf(name))).toEqual([]);
      expect(client.userAgent.flow).toBeUndefined();
      client.clock.advance(2_000);
      await settled();
      await goesOn(client);
    },
  );

  it('waits for the octets that a Content-Length promises (3.1.2.2)', async () => {
    const client = await registered('tcp');
    const bytes = octetsOf('clerr');
    expect(await answerTo(client, bytes)).toEqual([]);
    const missing = 9999 - (bytes.length - (fromUtf8(bytes).indexOf('\r\n\r\n') + 4));
    expect(await answerTo(client, new Uint8Array(missing))).toEqual([404]);
    await goesOn(client);
  });
});
