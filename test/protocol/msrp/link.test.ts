import { describe, expect, it } from 'vitest';
import { concatBytes, fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import {
  bytesSource,
  decodeFrames,
  MsrpLink,
  MsrpSession,
  type MsrpSessionAction,
} from '../../../src/protocol/msrp/index.ts';
import { countingRandom, wire } from './support.ts';

const uriOf = (who: string, session: string): string => `msrps://${who}.example:2855/${session};tcp`;

/** One side of a connection that carries several sessions. */
class Side {
  readonly link: MsrpLink<MsrpSession>;
  readonly actions = new Map<MsrpSession, MsrpSessionAction[]>();

  constructor(claim?: (toPath: string) => MsrpSession | undefined) {
    this.link = new MsrpLink(claim === undefined ? {} : { claim });
  }

  open(name: string, who: string, peer: string, role: 'active' | 'passive'): MsrpSession {
    const session = new MsrpSession({
      localPath: uriOf(who, `${name}-${who}`),
      remotePath: [uriOf(peer, `${name}-${peer}`)],
      role,
      isPeerAuthenticated: true,
      random: countingRandom(),
    });
    this.link.add(session);
    this.actions.set(session, []);
    session.handle({ type: 'connected' }, 0);
    this.link.ready(session);
    return session;
  }

  send(session: MsrpSession, messageId: string, content: Uint8Array): void {
    const request = { messageId, contentType: 'text/plain', source: bytesSource(content), chunkOctets: 2048 };
    session.handle({ type: 'send', request }, 0);
    this.link.ready(session);
  }

  receive(bytes: Uint8Array): void {
    this.link.push(bytes);
    for (let delivery = this.link.next(); delivery !== undefined; delivery = this.link.next()) {
      const { party, event } = delivery;
      this.actions.get(party)?.push(...party.handle({ type: 'frame', event }, 0));
      this.link.ready(party);
    }
  }

  output(): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (let output = this.link.nextOutput(0); output !== undefined; output = this.link.nextOutput(0)) {
      frames.push(concatBytes(...output.pieces));
    }
    return frames;
  }

  texts(session: MsrpSession): string[] {
    const messages = this.actions.get(session)?.filter((action) => action.type === 'message') ?? [];
    return messages.map(({ message }) => fromUtf8(message.bytes));
  }
}

function exchange(a: Side, b: Side): void {
  for (;;) {
    const [fromA, fromB] = [a.output(), b.output()];
    if (fromA.length + fromB.length === 0) return;
    for (const bytes of fromA) b.receive(bytes);
    for (const bytes of fromB) a.receive(bytes);
  }
}

describe('a connection with several sessions', () => {
  it('carries each message to its own session, both ways', () => {
    const [near, far] = [new Side(), new Side()];
    const names = Array.from({ length: 50 }, (_, index) => `s${index}`);
    const pairs = names.map((name) => ({
      name,
      alice: near.open(name, 'alice', 'bob', 'active'),
      bob: far.open(name, 'bob', 'alice', 'passive'),
    }));
    for (const { name, alice, bob } of pairs) {
      near.send(alice, `to-bob-${name}`, utf8(`for ${name}`));
      far.send(bob, `to-alice-${name}`, utf8(`from ${name}`));
    }
    exchange(near, far);
    for (const { name, alice, bob } of pairs) {
      expect(far.texts(bob)).toEqual([`for ${name}`]);
      expect(near.texts(alice)).toEqual([`from ${name}`]);
    }
  });

  it('lets sessions take turns frame by frame', () => {
    const near = new Side();
    const first = near.open('long', 'alice', 'bob', 'passive');
    const second = near.open('short', 'alice', 'bob', 'passive');
    near.send(first, 'long-1', new Uint8Array(10 * 2048));
    near.send(second, 'short-1', utf8('quick'));
    const ids = near.output().map((bytes) => decodeFrames(bytes)[0]?.head.headers.messageId);
    expect(ids.slice(0, 3)).toEqual(['long-1', 'short-1', 'long-1']);
    expect(ids).toHaveLength(11);
  });

  it('finds a session whose host the peer spells in another way', () => {
    const side = new Side();
    const session = side.open('one', 'alice', 'bob', 'passive');
    side.receive(
      wire(
        'MSRP tid1 SEND',
        'To-Path: msrp://ALICE.example:2855/one-alice;tcp',
        `From-Path: ${uriOf('bob', 'one-bob')}`,
        'Message-ID: 1234',
        'Byte-Range: 1-2/2',
        'Content-Type: text/plain',
        '',
        'hi',
        '-------tid1$',
      ),
    );
    expect(side.texts(session)).toEqual(['hi']);
  });

  it('answers 481 for a session that is not here, once it has left too, and never to a REPORT or a response', () => {
    const side = new Side();
    const session = side.open('one', 'alice', 'bob', 'passive');
    side.link.remove(session);
    const frame = (start: string): Uint8Array =>
      wire(start, `To-Path: ${session.localUri}`, `From-Path: ${session.nextHop}`, 'Message-ID: 1234', '-------tid1$');
    side.receive(frame('MSRP tid1 REPORT'));
    side.receive(frame('MSRP tid1 200 OK'));
    expect(side.output()).toEqual([]);
    side.receive(frame('MSRP tid1 SEND'));
    expect(side.output().map((bytes) => fromUtf8(bytes))).toEqual([
      `MSRP tid1 481 No Such Session\r\nTo-Path: ${session.nextHop}\r\nFrom-Path: ${session.localUri}\r\n-------tid1$\r\n`,
    ]);
  });

  it('asks who waits for a connection before it refuses', () => {
    let waiting: MsrpSession | undefined;
    const side: Side = new Side((toPath) => {
      if (toPath !== uriOf('alice', 'late-alice')) return undefined;
      waiting = side.open('late', 'alice', 'bob', 'passive');
      return waiting;
    });
    const peer = new Side();
    const sender = peer.open('late', 'bob', 'alice', 'active');
    peer.send(sender, 'first', utf8('here you are'));
    exchange(peer, side);
    expect(waiting).toBeDefined();
    expect(side.texts(waiting!)).toEqual(['here you are']);
  });

  it('refuses a second session under the same URI', () => {
    const side = new Side();
    side.open('one', 'alice', 'bob', 'passive');
    expect(() => side.open('one', 'alice', 'bob', 'passive')).toThrow(ProtocolError);
  });

  it('answers 400 once to what cannot be read, in the name of the session that was spoken to', () => {
    const side = new Side();
    const one = side.open('one', 'alice', 'bob', 'passive');
    side.open('two', 'alice', 'bob', 'passive');
    side.receive(
      wire(
        'MSRP tid1 SEND',
        `To-Path: ${one.localUri}`,
        `From-Path: ${one.nextHop}`,
        'Message-ID: 1234',
        '-------tid1$',
      ),
    );
    side.output();
    side.link.push(wire('MSRP tid2 SEND', 'To-Path: nonsense'));
    expect(() => side.link.next()).toThrow(ProtocolError);
    expect(() => side.link.next()).toThrow(ProtocolError);
    const answers = side.output().map((bytes) => fromUtf8(bytes));
    expect(answers).toHaveLength(1);
    expect(answers[0]).toMatch(/^MSRP tid2 400 /);
    expect(answers[0]).toContain(`From-Path: ${one.localUri}`);
  });
});
