import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromUtf8 } from '../../src/base/bytes.ts';
import { type Lab, startLab } from '../../src/lab/lab.ts';
import { ScriptedUe, userOf } from './support/scripted-ue.ts';

const text = (body: string): { type: string; text: string } => ({ type: 'text/plain', text: body });
const phone = 'urn:uuid:00000000-0000-4000-8000-000000000001';
const tablet = 'urn:uuid:00000000-0000-4000-8000-000000000002';

let lab: Lab;
let ues: ScriptedUe[];

async function connected(name: string, edge = 0): Promise<ScriptedUe> {
  const ue = await ScriptedUe.connect(lab, name, 'tls', edge);
  ues.push(ue);
  return ue;
}

/** A flow of a device, over the edge that goes with its number. */
async function flow(name: string, instance: string, regId: 1 | 2): Promise<ScriptedUe> {
  const ue = await connected(name, regId - 1);
  const reply = await ue.register({ outbound: { instance, regId } });
  expect(reply.status).toBe(200);
  return ue;
}

async function plain(name: string): Promise<ScriptedUe> {
  const ue = await connected(name);
  expect((await ue.register()).status).toBe(200);
  return ue;
}

beforeEach(async () => {
  ues = [];
  lab = await startLab({
    edges: 2,
    flowTimerSeconds: 90,
    copySentMessages: true,
    identities: { alice: ['sip:alice.work@lab.test', 'tel:+15551234'] },
  });
});

afterEach(async () => {
  for (const ue of ues) ue.close();
  await lab.stop();
});

describe('two flows of one device', () => {
  test('are two bindings with path, flow timer and one GRUU', async () => {
    await flow('bob', phone, 1);
    const second = await flow('bob', phone, 2);
    const reply = second.received.at(-1)!;
    const contacts = reply.headers.getAll('Contact');
    expect(contacts).toHaveLength(2);
    for (const [index, contact] of contacts.entries()) {
      expect(contact).toContain(`+sip.instance="<${phone}>"`);
      expect(contact).toContain(`reg-id=${index + 1}`);
      expect(contact).toContain(`pub-gruu="sip:bob@lab.test;gr=${phone}"`);
    }
    expect(reply.headers.get('Require')).toBe('outbound');
    expect(reply.headers.get('Flow-Timer')).toBe('90');
    expect(reply.headers.get('Path')).toMatch(new RegExp(`127.0.0.1:${lab.edges[1]!.tls.port};transport=tls;lr;ob>$`));
    expect(reply.headers.get('Service-Route')).toContain(`:${lab.edges[1]!.tls.port};`);
  });

  test('a request goes over one of them, and over the other one when the first fails', async () => {
    const alice = await plain('alice');
    const [first, second] = [await flow('bob', phone, 1), await flow('bob', phone, 2)];
    const one = alice.ask(alice.request('MESSAGE', 'sip:bob@lab.test', text('one')));
    second.reply(await second.incoming('MESSAGE'), 200);
    expect((await one).status).toBe(200);

    const two = alice.ask(alice.request('MESSAGE', 'sip:bob@lab.test', text('two')));
    second.reply(await second.incoming('MESSAGE'), 430);
    first.reply(await first.incoming('MESSAGE'), 200);
    expect((await two).status).toBe(200);

    const three = alice.ask(alice.request('MESSAGE', 'sip:bob@lab.test', text('three')));
    await second.incoming('MESSAGE');
    second.close();
    first.reply(await first.incoming('MESSAGE'), 200);
    expect((await three).status).toBe(200);
    const bodies = first.received.filter(({ method }) => method === 'MESSAGE').map(({ body }) => fromUtf8(body));
    expect(bodies).toEqual(['two', 'three']);
  });

  test('what the device answered is not asked again over the other flow', async () => {
    const alice = await plain('alice');
    const [first, second] = [await flow('bob', phone, 1), await flow('bob', phone, 2)];
    const sent = alice.ask(alice.request('MESSAGE', 'sip:bob@lab.test', text('no')));
    second.reply(await second.incoming('MESSAGE'), 486);
    expect((await sent).status).toBe(486);
    const last = alice.ask(alice.request('OPTIONS', 'sip:bob@lab.test'));
    second.reply(await second.incoming('OPTIONS'), 200);
    await last;
    expect(first.received.filter(({ method }) => method !== undefined)).toEqual([]);
  });

  test('a device that registers a flow again takes its place', async () => {
    await flow('bob', phone, 1);
    const again = await connected('bob');
    const reply = await again.register({ outbound: { instance: phone, regId: 1 } });
    expect(reply.headers.getAll('Contact')).toHaveLength(1);
  });

  test('an edge that stops takes its flows along, and comes back at its ports', async () => {
    const alice = await plain('alice');
    const [first, second] = [await flow('bob', phone, 1), await flow('bob', phone, 2)];
    await lab.stopEdge(1);
    await expect.poll(() => second.isClosed).toBe(true);
    const sent = alice.ask(alice.request('MESSAGE', 'sip:bob@lab.test', text('still there')));
    first.reply(await first.incoming('MESSAGE'), 200);
    expect((await sent).status).toBe(200);
    await expect(connected('bob', 1)).rejects.toThrow('ECONNREFUSED');
    const ports = lab.edges[1];
    await lab.startEdge(1);
    expect(lab.edges[1]).toEqual(ports);
    await flow('bob', phone, 2);
  });

  test('all links can be cut at once', async () => {
    const [first, second] = [await flow('bob', phone, 1), await flow('bob', phone, 2)];
    expect(lab.cutLinks()).toBe(2);
    await expect.poll(() => [first.isClosed, second.isClosed]).toEqual([true, true]);
    expect(lab.load().flows).toBe(0);
  });
});

describe('several devices', () => {
  test('each gets a message once, and a GRUU reaches only its own', async () => {
    const alice = await plain('alice');
    const [one, other] = [await flow('bob', phone, 1), await flow('bob', tablet, 1)];
    const forked = alice.ask(alice.request('MESSAGE', 'sip:bob@lab.test', text('both')));
    for (const device of [one, other]) device.reply(await device.incoming('MESSAGE'), 200);
    expect((await forked).status).toBe(200);

    const aimed = alice.ask(alice.request('MESSAGE', `sip:bob@lab.test;gr=${tablet}`, text('tablet')));
    other.reply(await other.incoming('MESSAGE'), 200);
    expect((await aimed).status).toBe(200);
    expect(one.received.filter(({ method }) => method === 'MESSAGE')).toHaveLength(1);
    other.close();
    await expect.poll(() => lab.load().flows).toBe(2);
    expect((await alice.ask(alice.request('MESSAGE', `sip:bob@lab.test;gr=${tablet}`, text('x')))).status).toBe(480);
  });

  test('the sender’s other devices get a copy that names the recipient', async () => {
    const [one, other] = [await flow('alice', phone, 1), await flow('alice', tablet, 1)];
    const bob = await plain('bob');
    const sent = one.ask(one.request('MESSAGE', bob.identity, text('for bob')));
    bob.reply(await bob.incoming('MESSAGE'), 200);
    await sent;
    const copy = await other.incoming('MESSAGE');
    other.reply(copy, 200);
    expect(copy.headers.get('To')).toContain('sip:bob@lab.test');
    expect(userOf(copy.headers.get('P-Asserted-Identity'))).toBe('alice');
    expect(fromUtf8(copy.body)).toBe('for bob');
    expect(one.received.some(({ method }) => method === 'MESSAGE')).toBe(false);
  });

  test('no copy is made of a message that was refused', async () => {
    const [one, other] = [await flow('alice', phone, 1), await flow('alice', tablet, 1)];
    const bob = await plain('bob');
    const refused = one.ask(one.request('MESSAGE', bob.identity, text('refused')));
    bob.reply(await bob.incoming('MESSAGE'), 415);
    expect((await refused).status).toBe(415);
    const taken = one.ask(one.request('MESSAGE', bob.identity, text('taken')));
    bob.reply(await bob.incoming('MESSAGE'), 200);
    await taken;
    expect(fromUtf8((await other.incoming('MESSAGE')).body)).toBe('taken');
  });
});

describe('several identities of one user', () => {
  test('are told at registration and can be asserted, called and sent from', async () => {
    const alice = await plain('alice');
    const bob = await plain('bob');
    expect(alice.received.at(-1)!.headers.getAll('P-Associated-URI')).toEqual([
      '<sip:alice@lab.test>',
      '<sip:alice.work@lab.test>',
      '<tel:+15551234>',
    ]);
    const asserted = async (preferred: string, from = alice.identity): Promise<string[]> => {
      const request = alice.request('MESSAGE', bob.identity, text('x'));
      request.headers.add('P-Preferred-Identity', `<${preferred}>`).set('From', `<${from}>;tag=1`);
      const sent = alice.ask(request);
      const arrived = await bob.incoming('MESSAGE');
      bob.reply(arrived, 200);
      await sent;
      expect(arrived.headers.has('P-Preferred-Identity')).toBe(false);
      return arrived.headers.getAll('P-Asserted-Identity');
    };
    expect(await asserted('sip:alice.work@lab.test', 'sip:alice.work@lab.test')).toEqual(['<sip:alice.work@lab.test>']);
    expect(await asserted('tel:+1-555-1234')).toEqual(['<tel:+15551234>']);
    expect(await asserted('sip:carol@lab.test')).toEqual(['<sip:alice@lab.test>']);
    for (const uri of ['sip:alice.work@lab.test', 'tel:+15551234']) {
      const sent = bob.ask(bob.request('MESSAGE', uri, text('x')));
      alice.reply(await alice.incoming('MESSAGE'), 200);
      expect((await sent).status).toBe(200);
    }
    expect((await bob.ask(bob.request('MESSAGE', 'tel:+19999', text('x')))).status).toBe(416);
  });
});
