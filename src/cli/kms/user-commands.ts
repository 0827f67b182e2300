import { SecretBytes } from '../../base/secret-bytes.ts';
import { secureRandom } from '../../crypto/random.ts';
import { pskContext } from '../../kms/key-encryption-key.ts';
import { mainIdentity, type KmsStorage, type StoredUser, type UserChange } from '../../kms/ports.ts';
import { canonicalUri, pskOctets, readCertificates, readUser, wrapUser } from '../../kms/users.ts';
import { administer, openKeyOutput, refused } from './administration.ts';
import { UsageError, valueOf, type Arguments, type Command } from './command.ts';

const newPsk = (): SecretBytes => new SecretBytes(secureRandom.bytes(pskOctets));

const taken = (what: 'identity' | 'psk-id'): Error =>
  what === 'identity'
    ? refused('belongs to a user or a group already', 'identity', 'another URI')
    : refused('names the key of another user', 'psk-id', 'a name of its own for each key');

const unknown = (uri: string): Error => refused('unknown', 'identity', `a user of this KMS; ${uri} is none`);

async function find(kms: KmsStorage, uri: string): Promise<StoredUser> {
  const user = await kms.users.findByIdentity(canonicalUri(uri, 'identity'));
  if (user === undefined) throw unknown(uri);
  return user;
}

const add: Command = {
  synopsis: 'URI [ALIAS...] --psk-id NAME [--allow URI]... [--no-request] [--key-file FILE]',
  explanation: 'makes a user with a new key; --allow limits to whom they may send',
  options: ['psk-id', 'allow', 'key-file'],
  flags: ['no-request'],
  words: [1, 100],
  async run(given) {
    const pskId = valueOf(given, 'psk-id');
    if (pskId === undefined) throw new UsageError('--psk-id NAME is missing');
    const allowed = given.values.get('allow');
    const user = readUser(
      {
        identities: given.positionals,
        pskId,
        psk: newPsk(),
        mayRequest: !given.flags.has('no-request'),
        ...(allowed === undefined ? {} : { allowedResponders: allowed }),
      },
      'user',
    );
    return administer(given.config, async ({ kms, kek, record }) => {
      const output = await openKeyOutput(valueOf(given, 'key-file'), given.print);
      const outcome = await kms.users.add(wrapUser(user, kek));
      if (outcome !== 'added') {
        await output.abandon();
        throw taken(outcome === 'identity-taken' ? 'identity' : 'psk-id');
      }
      await record('user-add', { user: mainIdentity(user) });
      given.print(`Added ${user.identities.join(', ')} with key ${pskId}`);
      await output.deliver(user.psk);
      return 0;
    });
  },
};

const rekey: Command = {
  synopsis: 'URI [--psk-id NAME] [--key-file FILE]',
  explanation: 'gives a user a new key, under a new name if one is given; the old one ends at once',
  options: ['psk-id', 'key-file'],
  words: [1, 1],
  run: (given) =>
    administer(given.config, async ({ kms, kek, record }) => {
      const user = await find(kms, given.positionals[0] ?? '');
      const pskId = valueOf(given, 'psk-id') ?? user.pskId;
      if (pskId === '') throw refused('empty', 'psk-id', 'the name of the key');
      const psk = newPsk();
      const output = await openKeyOutput(valueOf(given, 'key-file'), given.print);
      const wrappedPsk = kek.wrap(psk, pskContext({ identities: user.identities, pskId }));
      const outcome = await kms.users.change(mainIdentity(user), { pskId, wrappedPsk });
      if (outcome !== 'changed') {
        await output.abandon();
        throw outcome === 'psk-id-taken' ? taken('psk-id') : unknown(mainIdentity(user));
      }
      await record('user-rekey', { user: mainIdentity(user) });
      given.print(`Rekeyed ${mainIdentity(user)}: key ${pskId}`);
      await output.deliver(psk);
      return 0;
    }),
};

async function change(given: Arguments, action: string, changeOf: (user: StoredUser) => UserChange): Promise<number> {
  return administer(given.config, async ({ kms, record }) => {
    const user = await find(kms, given.positionals[0] ?? '');
    const name = mainIdentity(user);
    if ((await kms.users.change(name, changeOf(user))) !== 'changed') throw unknown(name);
    await record(action, { user: name });
    given.print(`${name}: ${action.replace('user-', '')} done; it holds from the next question on`);
    return 0;
  });
}

const disable: Command = {
  synopsis: 'URI',
  explanation: 'refuses all further questions of a user, at every replica',
  words: [1, 1],
  run: (given) => change(given, 'user-disable', () => ({ isDisabled: true })),
};

const enable: Command = {
  synopsis: 'URI',
  explanation: 'undoes user disable',
  words: [1, 1],
  run: (given) => change(given, 'user-enable', () => ({ isDisabled: false })),
};

const permit: Command = {
  synopsis: 'URI [--allow URI]... | --allow-all | --no-request',
  explanation: 'says anew to whom a user may send: some, everybody, nobody',
  options: ['allow'],
  flags: ['allow-all', 'no-request'],
  words: [1, 1],
  run(given) {
    const allowed = given.values.get('allow')?.map((uri) => canonicalUri(uri, 'allow'));
    const mayRequest = !given.flags.has('no-request');
    const wishes = [allowed !== undefined, given.flags.has('allow-all'), !mayRequest].filter(Boolean).length;
    if (wishes !== 1) throw new UsageError('One of --allow, --allow-all and --no-request is needed');
    return change(given, 'user-permit', (user) => ({
      mayRequest,
      allowedResponders: mayRequest ? allowed : user.allowedResponders,
    }));
  },
};

const certify: Command = {
  synopsis: 'URI --any | --fingerprint SHA-256... | --none',
  explanation: 'says with which certificates a user may prove itself besides its key (docs/kms-public-key.md)',
  options: ['fingerprint'],
  flags: ['any', 'none'],
  words: [1, 1],
  run(given) {
    const fingerprints = given.values.get('fingerprint');
    const isAny = given.flags.has('any');
    const wishes = [fingerprints !== undefined, isAny, given.flags.has('none')].filter(Boolean).length;
    if (wishes !== 1) throw new UsageError('One of --any, --fingerprint and --none is needed');
    const certificates = isAny ? 'any' : fingerprints && readCertificates(fingerprints, 'user');
    return change(given, 'user-certify', () => ({ certificates }));
  },
};

const list: Command = {
  synopsis: '[--json]',
  explanation: 'shows the users, and no key',
  flags: ['json'],
  words: [0, 0],
  run: (given) =>
    administer(given.config, async ({ kms }) => {
      for (const {
        identities,
        pskId,
        mayRequest,
        allowedResponders,
        isDisabled,
        certificates,
      } of await kms.users.list()) {
        const shown = { identities, pskId, mayRequest, allowedResponders, isDisabled, certificates };
        given.print(given.flags.has('json') ? JSON.stringify(shown) : userLine(shown));
      }
      return 0;
    }),
};

function userLine(user: Omit<StoredUser, 'wrappedPsk'>): string {
  const { identities, pskId, mayRequest, allowedResponders, isDisabled, certificates } = user;
  const sendsTo = mayRequest ? (allowedResponders?.join(' ') ?? 'everybody') : 'nobody';
  const proof =
    certificates === undefined ? '' : `  certificates ${certificates === 'any' ? 'any' : certificates.join(' ')}`;
  return `${identities.join(' ')}  key ${pskId}${proof}  may send to ${sendsTo}${isDisabled ? '  disabled' : ''}`;
}

const groupAdd: Command = {
  synopsis: 'GROUP MEMBER...',
  explanation: 'makes a group, or gives it other members; each member may resolve what is sent to it',
  words: [2, 1000],
  run: (given) =>
    administer(given.config, async ({ kms, record }) => {
      const [identity = '', ...members] = given.positionals.map((uri) => canonicalUri(uri, 'group'));
      const outcome = await kms.groups.put({ identity, members });
      if (outcome === 'identity-taken') throw refused('is a user', 'group', 'another URI');
      if (outcome === 'unknown-member') throw refused('a member is unknown', 'group', 'users of this KMS');
      await record('group-add', { user: identity, reason: `members ${members.join(' ')}` });
      given.print(`Group ${identity}: ${members.join(' ')}`);
      return 0;
    }),
};

const groupRemove: Command = {
  synopsis: 'GROUP',
  explanation: 'takes a group away; its members stay',
  words: [1, 1],
  run: (given) =>
    administer(given.config, async ({ kms, record }) => {
      const identity = canonicalUri(given.positionals[0] ?? '', 'group');
      if ((await kms.groups.remove(identity)) === 'unknown') throw refused('unknown', 'group', 'a group of this KMS');
      await record('group-remove', { user: identity });
      given.print(`Removed group ${identity}`);
      return 0;
    }),
};

const groupList: Command = {
  synopsis: '[--json]',
  explanation: 'shows the groups',
  flags: ['json'],
  words: [0, 0],
  run: (given) =>
    administer(given.config, async ({ kms }) => {
      for (const group of await kms.groups.list()) {
        given.print(given.flags.has('json') ? JSON.stringify(group) : `${group.identity}: ${group.members.join(' ')}`);
      }
      return 0;
    }),
};

export const userCommands: Readonly<Record<string, Command>> = {
  'user add': add,
  'user list': list,
  'user disable': disable,
  'user enable': enable,
  'user rekey': rekey,
  'user permit': permit,
  'user certify': certify,
  'group add': groupAdd,
  'group remove': groupRemove,
  'group list': groupList,
};
