import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import type { SipUserAgent } from '../../../src/engine/sip/index.ts';
import { serialiseSipMessage } from '../../../src/protocol/sip/message.ts';
import { createRegisteredClient, settled } from '../../support/sip-client.ts';

const started: SipUserAgent[] = [];
const thrown: unknown[] = [];
const note = (error: unknown): unknown => thrown.push(error);
process.on('unhandledRejection', note).on('uncaughtException', note);
afterEach(async () => {
  await Promise.all(started.splice(0).map((userAgent) => userAgent.stop()));
});

const headers = [
  'Via',
  'From',
  'To',
  'Call-ID',
  'CSeq',
  'Contact',
  'Record-Route',
  'Route',
  'Max-Forwards',
  'Require',
  'Content-Type',
  'Content-Disposition',
  'P-Asserted-Identity',
  'Refer-To',
  'Replaces',
  'RAck',
  'Session-Expires',
  'Event',
  'Warning',
  'WWW-Authenticate',
];
const pieces = ['<', '>', '"', ';', ',', ':', '@', '%', '=', '\\', 'sip:', 'tel:', '[::1', ';tag=', ' ', '\u00e9', 'x'];
const value = fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => parts.join('').trim());
const method = fc.constantFrom(
  'MESSAGE',
  'INVITE',
  'BYE',
  'CANCEL',
  'REFER',
  'NOTIFY',
  'OPTIONS',
  'PRACK',
  'UPDATE',
  'ACK',
  'FOO',
);
const offer = utf8(
  'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\na=path:msrp://192.0.2.1:9/a;tcp\r\n',
);

it('whatever stands in the headers of a request, the user agent goes on', { timeout: 30_000 }, async () => {
  const { server, userAgent } = await createRegisteredClient();
  started.push(userAgent);
  userAgent.events.on('message', (message) => message.respond(200));
  userAgent.events.on('invite', (invite) => invite.reject(488));
  const uri = server.contactUri();
  await fc.assert(
    fc.asyncProperty(method, fc.constantFrom(...headers), value, fc.boolean(), async (name, header, text, replaces) => {
      const request = server.createRequest(name, uri, { 'Content-Type': 'application/sdp' }, offer);
      try {
        if (replaces) request.headers.set(header, text);
        else request.headers.add(header, text);
      } catch {
        return;
      }
      server.send(request);
      await settled();
      expect(thrown).toEqual([]);
      expect(userAgent.flow).toBeDefined();
    }),
    { numRuns: 200 },
  );
  const good = server.createRequest('MESSAGE', uri, { 'Content-Type': 'text/plain' }, utf8('hello'));
  server.sendBytes(serialiseSipMessage(good));
  await settled();
  expect(server.responses.at(-1)).toMatchObject({ start: { status: 200 } });
});
