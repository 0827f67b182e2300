import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { serialiseSipMessage } from '../../src/protocol/sip/message.ts';
import { HostileStage, secretText } from './support/hostile-stage.ts';
import { until } from './support/parties.ts';

let stage: HostileStage;
const unhandled: unknown[] = [];
const note = (reason: unknown): unknown => unhandled.push(reason);

beforeAll(async () => {
  process.on('unhandledRejection', note);
  stage = await HostileStage.start();
});

afterEach(async () => {
  await stage.allIsWell();
  expect(unhandled).toEqual([]);
});

afterAll(async () => {
  await stage.stop();
  process.off('unhandledRejection', note);
});

describe('malformed SIP', () => {
  const raw = (changes: (text: string) => string): string =>
    changes(Buffer.from(serialiseSipMessage(stage.edge.request('MESSAGE'))).toString());

  test.each([
    [
      'a request line without version',
      (text: string) => text.replace(' SIP/2.0\r\n', '\r\n'),
      400,
      /sip\.startLine at offset 0/,
    ],
    [
      'another SIP version',
      (text: string) => text.replace(' SIP/2.0\r\n', ' SIP/3.0\r\n'),
      505,
      /sip\.version at offset 0/,
    ],
    [
      'a header without a name',
      (text: string) => text.replace('Max-Forwards: 70', 'no colon here'),
      400,
      /sip\.header at offset \d+/,
    ],
    [
      'a control character',
      (text: string) => text.replace('Max-Forwards: 70', 'X: a\u0001b'),
      400,
      /sip\.header at offset \d+/,
    ],
    ['a broken From', (text: string) => text.replace(/From: .*/, 'From: <sip:bob'), 400, /sip\.From/],
    ['another method in CSeq', (text: string) => text.replace('1 MESSAGE', '1 INVITE'), 400, /sip\.CSeq/],
    ['a CSeq out of range', (text: string) => text.replace('1 MESSAGE', '9999999999 MESSAGE'), 400, /sip\.CSeq/],
  ])('%s is answered and logged', async (_, change, status, line) => {
    const request = stage.edge.request('MESSAGE');
    const text = change(Buffer.from(serialiseSipMessage(request)).toString());
    const log = await stage.logOf(async () => {
      stage.edge.inject(text);
      const answer = await stage.edge.answerOn(request.headers.get('Call-ID'));
      expect(answer.status).toBe(status);
    });
    expect(log).toMatch(line);
  });

  test.each([
    ['no Content-Length', (text: string) => text.replace(/Content-Length: .*\r\n/, '')],
    ['two that disagree', (text: string) => text.replace('Content-Length: 0', 'Content-Length: 0\r\nl: 5')],
    ['a negative one', (text: string) => text.replace('Content-Length: 0', 'Content-Length: -1')],
    ['a body of gigabytes', (text: string) => text.replace('Content-Length: 0', 'Content-Length: 999999999')],
    ['endless headers', (text: string) => text.replace('Max-Forwards: 70', `X: ${'x'.repeat(200_000)}`)],
  ])('%s ends the connection, and a new one registers', async (_, change) => {
    const connections = stage.edge.connections;
    const log = await stage.logOf(async () => {
      stage.edge.inject(raw(change));
      await until(() => stage.edge.connections > connections, 'a new connection', 5_000);
    });
    expect(log).toMatch(/sip\.connection-lost.*sip\.stream at offset \d+/);
  });

  test('a response to nothing is dropped', async () => {
    stage.edge.inject(
      'SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS tessera.invalid;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n' +
        'Call-ID: hostile-x\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n',
    );
  });
});

describe('MESSAGE', () => {
  const ask = (type: string | undefined, body: Uint8Array | string, headers: Record<string, string> = {}) =>
    stage.edge.ask(stage.edge.request('MESSAGE', { ...(type === undefined ? {} : { type }), body }, headers));

  test.each<[string, string | undefined, string | Uint8Array, number, RegExp]>([
    ['multipart without boundary', 'multipart/mixed', 'x', 400, /boundary/],
    [
      'multipart without end',
      'multipart/mixed;boundary=b',
      '--b\r\nContent-Type: text/plain\r\n\r\nx',
      400,
      /mime\.\S* at offset \d+/,
    ],
    [
      'multipart of other parts',
      'multipart/mixed;boundary=b',
      '--b\r\n\r\nx\r\n--b--',
      415,
      /sip\.Content-Type.*several contents/,
    ],
    ['CPIM without headers', 'message/cpim', 'x', 400, /cpim\S* at offset \d+/],
    ['CPIM of octets', 'message/cpim', Uint8Array.of(0xff, 0xfe, 0, 1), 400, /cpim\S* at offset \d+/],
    [
      'CPIM around a picture',
      'message/cpim',
      'From: <sip:bob@lab.test>\r\nTo: <sip:alice@lab.test>\r\n\r\nContent-Type: image/png\r\n\r\nx',
      415,
      /Content-Type/,
    ],
    ['text that is no UTF-8', 'text/plain', Uint8Array.of(0xff), 400, /text at offset 0/],
    ['an unknown type', 'application/x-unknown', 'x', 415, /sip\.Content-Type/],
    ['a type that is none', 'gibberish', 'x', 400, /Content-Type at offset 0/],
    ['no Content-Type', undefined, 'x', 400, /Content-Type/],
    ['more than a MESSAGE may be', 'text/plain', 'x'.repeat(70_000), 413, /sip\.body/],
  ])('%s', async (_, type, body, status, line) => {
    const log = await stage.logOf(async () => {
      const answer = await ask(type, body);
      expect(answer.status).toBe(status);
      if (status === 415) expect(answer.headers.get('Accept')).toContain('message/cpim');
    });
    expect(log).toMatch(line);
  });

  test('a body in an encoding that we do not have', async () => {
    const answer = await ask('text/plain', 'x', { 'Content-Encoding': 'gzip' });
    expect(answer.status).toBe(415);
  });

  const headOf = (body: Uint8Array, marker: string): number => Buffer.from(body).indexOf(marker);

  test('a TRANSFER_INIT that ends early is answered at every length', async () => {
    const { contentType, body } = await stage.sealed();
    const start = Buffer.from(body).indexOf('\r\n\r\n') + 4;
    const end = headOf(body.subarray(start), '\r\n--') + start;
    for (const cut of [0, 1, 9, 40, 120, end - start - 1]) {
      const broken = concatBytes(body.subarray(0, start + cut), body.subarray(end));
      const log = await stage.logOf(async () => {
        const { status } = await ask(contentType, broken);
        expect([400, 493]).toContain(status);
      });
      expect(log).toMatch(/message\.unreadable.*mikey\S* at offset \d+/);
    }
  });

  test('a CMS object that ends early', async () => {
    const { contentType, body } = await stage.sealed();
    const start = Buffer.from(body).lastIndexOf('\r\n\r\n') + 4;
    const end = Buffer.from(body).lastIndexOf('\r\n--');
    for (const cut of [0, 1, 20, 100, end - start - 1]) {
      const broken = concatBytes(body.subarray(0, start + cut), body.subarray(end));
      const log = await stage.logOf(async () => {
        const { status } = await ask(contentType, broken);
        expect([400, 493]).toContain(status);
      });
      expect(log).toMatch(/message\.unreadable.*cms\S* at offset \d+/);
    }
  });

  test('a bit turned anywhere in the CMS object shows no text', async () => {
    const { contentType, body } = await stage.sealed();
    const start = Buffer.from(body).lastIndexOf('\r\n\r\n') + 4;
    const end = Buffer.from(body).lastIndexOf('\r\n--');
    const refusals = stage.alice.refused.length;
    for (const at of [start, start + 30, start + 90, end - 60, end - 1]) {
      const fresh = await stage.sealed();
      const turned = Uint8Array.from(fresh.body);
      turned[at] = (turned[at] ?? 0) ^ 1;
      expect([200, 400, 415, 493]).toContain(
        (
          await ask(
            contentType.replace(
              /boundary=.*/,
              fresh.contentType.split('boundary=')[1] ? `boundary=${fresh.contentType.split('boundary=')[1]}` : '',
            ),
            turned,
          )
        ).status,
      );
    }
    await until(
      () =>
        stage.alice.received.filter(({ state }) => state === 'undecryptable').length +
          stage.alice.refused.length -
          refusals >=
        5,
      'all refused',
    );
    expect(stage.alice.received.some(({ text }) => text === secretText)).toBe(false);
  });

  test('octets that have nothing to do with anything', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const body = Uint8Array.from({ length: 300 }, (_, index) => (index * seed * 37 + seed) & 0xff);
      const types = ['multipart/mixed;boundary=b', 'message/cpim', 'application/pkcs7-mime', 'text/plain'];
      const { status = 0 } = await ask(types[seed % types.length], concatBytes(utf8('--b\r\n\r\n'), body));
      expect([400, 415, 493]).toContain(status);
    }
  });
});
