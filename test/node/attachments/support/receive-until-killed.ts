import { SecretBytes } from '../../../../src/base/secret-bytes.ts';
import { createSealedStorage } from '../../../../src/node/attachments/index.ts';
import { openSealedTarget } from '../../../../src/node/attachments/sealed-target.ts';
import { AttachmentKeys } from '../../../../src/node/attachments/sealed-format.ts';
import { plainForm } from '../../../../src/node/files/transfer-notes.ts';
import { contentOf, note } from './content.ts';

/** Receives a file, says how much of it is safely on the disk after each step, and never comes to an end: it is killed. */
const [folder = '', key = '', size = '0'] = process.argv.slice(2);
const secret = new SecretBytes(Buffer.from(key, 'hex'));
const options = { key: 'k', continues: true, name: 'photo.png', size: Number(size), maxOctets: 1e9, hashes: [] };
// The note goes through the storage, as in the program.
const storage = createSealedStorage(folder, secret);
const noted = await storage.openTarget(options);
await noted.keepNote(note);
await noted.suspend();
const target = await openSealedTarget(folder, new AttachmentKeys(secret), plainForm, options);
const content = contentOf(Number(size));
const step = 50_001;
for (let at = target.present; at < content.length - step; at += step) {
  await target.write(at, content.subarray(at, at + step));
  process.stdout.write(`${await target.settled()}\n`);
}
setInterval(() => undefined, 1000);
