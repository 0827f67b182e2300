import { resolve } from 'node:path';
import { toHex } from '../../base/bytes.ts';
import { secureRandom } from '../../crypto/random.ts';
import { KeyEncryptionKey, pskContext, tpkContext } from '../../kms/key-encryption-key.ts';
import { longestLife } from '../../kms/kms-service.ts';
import { readKek } from '../../kms/storage/kek-source.ts';
import type { KekSource } from '../../kms/storage/storage-config.ts';
import { announceTpk, createTpk, describeTpks } from '../../kms/tpk-ring.ts';
import { systemClock } from '../../node/system-clock.ts';
import { administer, refused } from './administration.ts';
import { UsageError, valueOf, type Command } from './command.ts';

const iso = (time: number): string => new Date(time).toISOString();

const rotate: Command = {
  synopsis: '',
  explanation: 'makes a ticket protection key; every replica learns it before one uses it',
  words: [0, 0],
  run: (given) =>
    administer(given.config, async ({ kms, kek, storage, record }) => {
      const entry = createTpk(secureRandom, systemClock.now());
      const added = await announceTpk(kms, kek, entry, storage.tpkAnnounceSeconds);
      if (added === undefined) throw refused('another one was added at the same moment', 'tpk', 'one at a time');
      await record('tpk-rotate', { reason: `key ${toHex(added.id)}` });
      given.print(`Ticket protection key ${toHex(added.id)} protects new tickets from ${iso(added.activeFrom)} on`);
      return 0;
    }),
};

const list: Command = {
  synopsis: '[--json]',
  explanation: 'shows the ticket protection keys by their names, and no key',
  flags: ['json'],
  words: [0, 0],
  run: (given) =>
    administer(given.config, async ({ kms, rules }) => {
      for (const tpk of describeTpks(await kms.tpks.list(), longestLife(rules), systemClock.now())) {
        const line = {
          id: toHex(tpk.id),
          state: tpk.state,
          createdAt: iso(tpk.createdAt),
          activeFrom: iso(tpk.activeFrom),
          ...(tpk.dropAfter === undefined ? {} : { dropAfter: iso(tpk.dropAfter) }),
        };
        const kept = line.dropAfter === undefined ? '' : `, kept until ${line.dropAfter}`;
        given.print(
          given.flags.has('json') ? JSON.stringify(line) : `${line.id}  ${line.state}  from ${line.activeFrom}${kept}`,
        );
      }
      return 0;
    }),
};

const changeKek: Command = {
  synopsis: '--new-file FILE | --new-environment NAME | --new-keychain NAME',
  explanation: 'wraps all keys under another key-encryption key; a missing file or keychain entry is made',
  options: ['new-file', 'new-environment', 'new-keychain'],
  words: [0, 0],
  run(given) {
    const [file, environment, keychain] = ['new-file', 'new-environment', 'new-keychain'].map((name) =>
      valueOf(given, name),
    );
    const sources: readonly KekSource[] = [
      ...(file === undefined ? [] : [{ file: resolve(file) }]),
      ...(environment === undefined ? [] : [{ environment }]),
      ...(keychain === undefined ? [] : [{ keychain }]),
    ];
    const [source] = sources;
    if (source === undefined || sources.length > 1) {
      throw new UsageError('One of --new-file, --new-environment and --new-keychain is needed');
    }
    return administer(given.config, async ({ kms, kek, record }) => {
      const next = new KeyEncryptionKey(await readKek(source, { random: secureRandom, mayCreate: true }), secureRandom);
      await kms.rewrap({
        keyCheck: next.makeCheck(),
        user: (user) => next.wrap(kek.unwrap(user.wrappedPsk, pskContext(user)), pskContext(user)),
        tpk: (tpk) => next.wrap(kek.unwrap(tpk.wrappedKey, tpkContext(tpk)), tpkContext(tpk)),
      });
      await record('kek-change', {});
      given.print(`All keys are wrapped under the new key-encryption key (${JSON.stringify(source)}).`);
      given.print(
        'Put that source into keyEncryptionKey of the configuration and restart every replica: until then they refuse.',
      );
      return 0;
    });
  },
};

export const keyCommands: Readonly<Record<string, Command>> = {
  'tpk rotate': rotate,
  'tpk list': list,
  'kek change': changeKek,
};
