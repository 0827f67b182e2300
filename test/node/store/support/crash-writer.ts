/**
 * Writes to a store until it is killed, and says on stdout what it was told to be durable: `node crash-writer.ts FOLDER FIRST POINT`.
 * It kills itself at POINT, for example `in-transaction:40`: there, with the 40th message after FIRST or a later one; `none` for never.
 */
import { writeSync } from 'node:fs';
import { StoreError } from '../../../../src/engine/store/index.ts';
import { openStore } from '../../../../src/node/store/open-store.ts';
import { chatMessage } from '../../../engine/store/stored-message.ts';
import { testKey } from './store-files.ts';

const [folder = '', first = '0', point = 'none'] = process.argv.slice(2);
const [place, count] = point.split(':');

/** Written at once, unlike through a stream: it is out before the process can be killed. */
const say = (line: string): void => void writeSync(1, `${line}\n`);

function reach(here: string, number: number): void {
  if (here !== place || number < Number(first) + Number(count)) return;
  say(`killed ${here} ${number}`);
  process.kill(process.pid, 'SIGKILL');
}

try {
  const { store } = await openStore({ folder, key: testKey() });
  say('opened');
  const { messages, notes } = store.account('a');
  for (let number = Number(first); ; number++) {
    messages.add(chatMessage(`m${number}`, { text: `words of ${number} ${'x'.repeat(number % 900)}` }));
    reach('after-write', number);
    store.transaction(() => {
      messages.add(chatMessage(`p${number}`, { conversation: 'sip:pair@example.org' }));
      reach('in-transaction', number);
      notes.set('pair', String(number), true);
    });
    const isDurable = store.durable();
    reach('before-commit', number);
    await isDurable;
    reach('after-commit', number);
    say(`durable ${number}`);
    if (number % 7 === 0 && messages.remove(`m${number - 3}`) !== undefined) {
      reach('after-removal', number);
      await store.durable();
      say(`removed ${number - 3}`);
    }
  }
} catch (error) {
  say(error instanceof StoreError ? `refused ${error.code}` : `failed ${String(error)}`);
  process.exitCode = 1;
}
