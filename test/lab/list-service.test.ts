import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromUtf8 } from '../../src/base/bytes.ts';
import { type Lab, startLab } from '../../src/lab/lab.ts';
import type { SipMessage } from '../../src/protocol/sip/message.ts';
import { ScriptedUe, userOf } from './support/scripted-ue.ts';

let lab: Lab;
let ues: ScriptedUe[];

async function registered(name: string): Promise<ScriptedUe> {
  const ue = await ScriptedUe.connect(lab, name);
  ues.push(ue);
  expect((await ue.register()).status).toBe(200);
  return ue;
}

beforeEach(async () => {
  ues = [];
  lab = await startLab({ bsf: false });
});

afterEach(async () => {
  for (const ue of ues) ue.close();
  await lab.stop();
});

const entries = (uris: readonly string[]): string =>
  '<?xml version="1.0" encoding="UTF-8"?><resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list>' +
  `${uris.map((uri) => `<entry uri="${uri}"/>`).join('')}</list></resource-lists>`;

const part = (lines: readonly string[], body: string): string => `--b\r\n${lines.join('\r\n')}\r\n\r\n${body}\r\n`;
const listPart = (xml: string): string =>
  part(['Content-Type: application/resource-lists+xml', 'Content-Disposition: recipient-list'], xml);

function listMessage(ue: ScriptedUe, parts: readonly string[]): SipMessage {
  const request = ue.request('MESSAGE', lab.listService, {
    type: 'multipart/mixed;boundary=b',
    text: `${parts.join('')}--b--\r\n`,
  });
  request.headers.add('Require', 'recipient-list-message');
  return request;
}

describe('the list service', () => {
  test('sends a message to each recipient, now or when it is there', async () => {
    const alice = await registered('alice');
    const bob = await registered('bob');
    const text = part(['Content-Type: text/plain;charset=UTF-8'], 'to both ✓');
    const uris = ['sip:bob@lab.test', 'sip:carol@lab.test', 'sip:bob@lab.test'];
    expect((await alice.ask(listMessage(alice, [text, listPart(entries(uris))]))).status).toBe(202);
    const carol = await registered('carol');
    for (const ue of [bob, carol]) {
      const arrived = await ue.incoming('MESSAGE');
      ue.reply(arrived, 200);
      expect(fromUtf8(arrived.body)).toBe('to both ✓');
      expect(arrived.headers.get('Content-Type')).toBe('text/plain;charset=UTF-8');
      expect(userOf(arrived.headers.get('P-Asserted-Identity'))).toBe('alice');
      expect(userOf(arrived.headers.get('To'))).toBe(ue.name);
      expect(arrived.headers.has('Require')).toBe(false);
    }
    await alice.ask(alice.request('OPTIONS', 'sip:lab.test'));
    expect(bob.received.filter(({ method }) => method === 'MESSAGE')).toHaveLength(1);
  });

  test('leaves a body of several parts together, without the list', async () => {
    const alice = await registered('alice');
    const bob = await registered('bob');
    const parts = [
      part(['Content-Type: application/mikey'], 'one'),
      part(['Content-Type: application/pkcs7-mime'], 'two'),
    ];
    expect((await alice.ask(listMessage(alice, [listPart(entries(['sip:bob@lab.test'])), ...parts]))).status).toBe(202);
    const arrived = await bob.incoming('MESSAGE');
    bob.reply(arrived, 200);
    expect(arrived.headers.get('Content-Type')).toMatch(/^multipart\/mixed/);
    expect(fromUtf8(arrived.body)).toContain('application/mikey');
    expect(fromUtf8(arrived.body)).not.toContain('resource-lists');
  });

  test('refuses what it cannot do for every recipient', async () => {
    const alice = await registered('alice');
    const bob = await registered('bob');
    const text = part(['Content-Type: text/plain'], 'x');
    const status = async (request: SipMessage): Promise<number | undefined> => (await alice.ask(request)).status;
    const nobody = await alice.ask(
      listMessage(alice, [text, listPart(entries(['sip:bob@lab.test', 'sip:nobody@lab.test']))]),
    );
    expect([nobody.status, nobody.headers.get('Warning')]).toEqual([
      404,
      expect.stringContaining('sip:nobody@lab.test'),
    ]);
    const plain = listMessage(alice, [text, listPart(entries(['sip:bob@lab.test']))]);
    plain.headers.remove('Require');
    expect(await status(plain)).toBe(421);
    expect(await status(listMessage(alice, [text]))).toBe(400);
    expect(await status(listMessage(alice, [text, listPart(entries([]))]))).toBe(400);
    expect(await status(listMessage(alice, [text, listPart('<other/>')]))).toBe(400);
    const many = Array.from({ length: 101 }, (_, index) => `sip:user${index}@lab.test`);
    expect(await status(listMessage(alice, [text, listPart(entries(many))]))).toBe(403);
    expect(bob.received.filter(({ method }) => method === 'MESSAGE')).toEqual([]);
  });
});
