import { fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { Keychain } from '../../../electron/keychain.ts';

/** Runs inside a session bus of its own: `write` stores a secret, `read` is another process that finds and deletes it. */
const [step] = process.argv.slice(2);
const keychain = new Keychain();
const health = await keychain.health();
const name = 'sip:alice@lab.test/password';
if (step === 'write') await keychain.set(name, new SecretBytes(utf8('pässword')));
const found = await keychain.get(name);
const names = await keychain.list();
if (step === 'read') await keychain.delete(name);
const left = await keychain.list();
const text = found?.use((bytes) => fromUtf8(bytes)) ?? null;
process.stdout.write(`${JSON.stringify({ health, found: text, names, left })}\n`);
