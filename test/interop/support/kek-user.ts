import { describeError } from '../../../src/base/errors.ts';
import { toHex } from '../../../src/base/bytes.ts';
import { sha256 } from '../../../src/crypto/digest.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import { readKek } from '../../../src/kms/storage/kek-source.ts';

/** Runs inside a session bus of its own: `make` may make the key, `read` must find it. Prints its digest, or why there is none. */
const [step] = process.argv.slice(2);
const answer = await readKek({ keychain: 'test' }, { random: secureRandom, mayCreate: step === 'make' }).then(
  (key) => ({ digest: key.use((octets) => toHex(sha256(octets))) }),
  (error: unknown) => ({ problem: describeError(error) }),
);
process.stdout.write(`${JSON.stringify(answer)}\n`);
