import { afterEach, describe, expect, it } from 'vitest';
import type { SipUserAgent } from '../../../src/engine/sip/index.ts';
import { parseCSeq, parseNameAddress } from '../../../src/protocol/sip/headers.ts';
import type { SipMessage } from '../../../src/protocol/sip/message.ts';
import { branchOf } from '../../support/scripted-sip-server.ts';
import { createRegisteredClient, serve, settled, type SipClient } from '../../support/sip-client.ts';

/** What RFC 3261 demands of the form of every request and answer of a user agent. */

const started: SipUserAgent[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((userAgent) => userAgent.stop()));
});

async function registered(): Promise<SipClient> {
  const client = await createRegisteredClient();
  started.push(client.userAgent);
  return client;
}

const message = { to: 'sip:bob@lab.test', contentType: 'text/plain', body: new Uint8Array() };
const fromTag = ({ headers }: SipMessage): string | undefined =>
  parseNameAddress(headers.get('From') ?? '').parameters.get('tag');
const count = ({ headers }: SipMessage): number => parseCSeq(headers.get('CSeq') ?? '').number;

describe('a request outside of a dialog (RFC 3261 8.1.1)', () => {
  it('has every mandatory header once, 70 hops, a tag in From and none in To, and the method in CSeq', async () => {
    const { server, userAgent } = await registered();
    serve(server, ({ reply }) => reply(200));
    await userAgent.sendMessage(message);
    for (const request of server.requests) {
      for (const name of ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Max-Forwards']) {
        expect(request.headers.getAll(name), `${name} of ${request.method}`).toHaveLength(1);
      }
      expect(request.headers.get('Max-Forwards')).toBe('70');
      expect(fromTag(request)).toMatch(/^[0-9A-Za-z]{8,}$/);
      expect(parseNameAddress(request.headers.get('To') ?? '').parameters.has('tag')).toBe(false);
      expect(parseCSeq(request.headers.get('CSeq') ?? '').method).toBe(request.method);
      expect(branchOf(request)).toMatch(/^z9hG4bK/);
    }
  });

  it('has a Call-ID, a tag and a branch of its own', async () => {
    const { server, userAgent } = await registered();
    serve(server, ({ reply }) => reply(200));
    await userAgent.sendMessage(message);
    await userAgent.sendMessage(message);
    const [one, other] = server.requests.filter(({ method }) => method === 'MESSAGE');
    expect(one!.headers.get('Call-ID')).not.toBe(other!.headers.get('Call-ID'));
    expect(fromTag(one!)).not.toBe(fromTag(other!));
    expect(branchOf(one!)).not.toBe(branchOf(other!));
  });

  it.each([
    [299, 'taken'],
    [399, 'refused'],
    [499, 'refused'],
    [599, 'refused'],
    [699, 'refused'],
  ])('takes an unknown %i for the first of its class: it is %s', async (status, outcome) => {
    const { server, userAgent } = await registered();
    serve(server, ({ reply }) => reply(status));
    const reply = await userAgent.sendMessage(message);
    expect([reply.status, reply.status < 300 ? 'taken' : 'refused']).toEqual([status, outcome]);
    expect(server.count('MESSAGE')).toBe(1);
  });
});

describe('REGISTER (RFC 3261 10.2)', () => {
  it('goes to the domain without a user, in one Call-ID with rising numbers, From and To alike', async () => {
    const { server, userAgent } = await registered();
    await userAgent.unregister();
    await userAgent.register();
    const all = server.requests.filter(({ method }) => method === 'REGISTER');
    for (const { start } of all) expect(start).toMatchObject({ uri: 'sip:lab.test' });
    for (const { headers } of all) {
      expect(parseNameAddress(headers.get('From') ?? '').uri).toBe('sip:alice@lab.test');
      expect(parseNameAddress(headers.get('To') ?? '').uri).toBe('sip:alice@lab.test');
    }
    const calls = Map.groupBy(all, ({ headers }) => headers.get('Call-ID') ?? '');
    expect(calls.size).toBe(1);
    for (const requests of calls.values()) {
      const numbers = requests.map(count);
      expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
    }
  });
});

describe('an answer (RFC 3261 8.2.6)', () => {
  it('copies Via, From, Call-ID and CSeq as they came, and adds one tag to To', async () => {
    const { server, userAgent } = await registered();
    userAgent.events.on('message', (incoming) => incoming.respond(200));
    const request = server.createRequest('MESSAGE', server.contactUri(), { 'Content-Type': 'text/plain' });
    request.headers.add('Via', 'SIP/2.0/TLS further.lab.test:5061;branch=z9hG4bKfurther;received=192.0.2.77');
    server.send(request);
    await settled();
    const [answer] = server.responses;
    for (const name of ['Via', 'From', 'Call-ID', 'CSeq']) {
      expect(answer!.headers.getAll(name)).toEqual(request.headers.getAll(name));
    }
    const to = parseNameAddress(answer!.headers.get('To') ?? '');
    expect(to.uri).toBe('sip:alice@lab.test');
    expect(to.parameters.get('tag')).toMatch(/^[0-9A-Za-z]{8,}$/);
  });

  it('to a CANCEL that matches nothing is 481, to an ACK there is none', async () => {
    const { server } = await registered();
    server.send(server.createRequest('CANCEL', server.contactUri()));
    server.send(server.createRequest('ACK', server.contactUri()));
    await settled();
    expect(server.responses.map(({ status }) => status)).toEqual([481]);
  });

  it('to a BYE of a dialog that is not there is 481', async () => {
    const { server } = await registered();
    server.send(server.createRequest('BYE', server.contactUri(), {}));
    await settled();
    expect(server.responses.map(({ status }) => status)).toEqual([481]);
  });
});
