import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import type { Store } from '../../../src/engine/store/index.ts';
import { openStore, storeFileName } from '../../../src/node/store/open-store.ts';
import type { BenchOptions } from '../bench-options.ts';
import type { BenchRow } from '../bench-row.ts';
import { BareStore } from './bare-store.ts';
import { peerOf, seededNumbers, someWord, storedMessages } from './stored-messages.ts';

const account = 'sip:alice@ims.example.org';
const batch = 10_000;
const searches = 1_000;
const pageOfHits = 50;
const openTargetMilliseconds = 1_000;
const searchTargetMilliseconds = 50;
const key = (): SecretBytes => new SecretBytes(new Uint8Array(32).fill(1));

/** The store beside a bare SQLite with the same messages. */
export async function* benchStore({ stored, rounds }: BenchOptions): AsyncIterable<BenchRow> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-store-'));
  try {
    yield* measureOpening(join(folder, 'opened'), Math.ceil(stored / 10), rounds);
    yield* measureSearch(join(folder, 'searched'), stored);
    yield* measureAdds(join(folder, 'added'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function* measureOpening(folder: string, count: number, rounds: number): AsyncIterable<BenchRow> {
  const filled = await fill(folder, count);
  await filled.store.close();
  filled.bare.close();
  const ours: number[] = [];
  const reference: number[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(
      await milliseconds(
        async () => {
          const store = await open(folder);
          const { messages } = store.account(account);
          messages.page(messages.conversations()[0]?.peer ?? '', 100);
          return store;
        },
        (store) => store.close(),
      ),
    );
    reference.push(
      await milliseconds(
        () => {
          const bare = new BareStore(join(folder, 'bare.db'));
          bare.conversations();
          return bare;
        },
        (bare) => bare.close(),
      ),
    );
  }
  const best = Math.min(...ours);
  yield {
    name: `store, open with ${count} messages, list and first page`,
    ours: best,
    reference: Math.min(...reference),
    unit: 'ms',
    target: { text: `< ${openTargetMilliseconds} ms`, isMet: best < openTargetMilliseconds },
  };
}

async function* measureSearch(folder: string, count: number): AsyncIterable<BenchRow> {
  const { store, bare, oursPerSecond, barePerSecond } = await fill(folder, count);
  yield { name: `store, ${count} messages at once`, ours: oursPerSecond, reference: barePerSecond, unit: 'messages/s' };
  const queries = someQueries();
  const ours: number[] = [];
  const reference: number[] = [];
  for (const { words, peer } of queries) {
    const text = words.join(' ');
    const within = peer === undefined ? {} : { peer };
    ours.push(await milliseconds(() => store.search({ text, limit: pageOfHits, ...within })));
    // The reference has no search within a conversation.
    reference.push(await milliseconds(() => bare.search(words)));
  }
  for (const [name, part] of [
    ['p50', 0.5],
    ['p99', 0.99],
    ['longest', 1],
  ] as const) {
    const found = quantile(ours, part);
    yield {
      name: `store, search over ${count} messages, ${name}`,
      ours: found,
      reference: quantile(reference, part),
      unit: 'ms',
      note: `${searches} queries: words, beginnings of 1 to 4 letters, two words, within a conversation`,
      ...(name === 'p99'
        ? { target: { text: `< ${searchTargetMilliseconds} ms`, isMet: found < searchTargetMilliseconds } }
        : {}),
    };
  }
  await store.close();
  bare.close();
  const size = async (name: string): Promise<number> => (await stat(join(folder, name))).size / count;
  yield {
    name: 'store, octets on disk',
    ours: await size(storeFileName),
    reference: await size('bare.db'),
    unit: 'octets/message',
  };
}

async function* measureAdds(folder: string): AsyncIterable<BenchRow> {
  const store = await open(folder);
  const bare = new BareStore(join(folder, 'bare.db'));
  const source = storedMessages(Infinity);
  for (const group of [1, 100]) {
    const groups = group === 1 ? 500 : 50;
    const take = (): readonly ChatMessage[] => [...first(source, group)];
    const ours = await milliseconds(async () => {
      for (let count = 0; count < groups; count++) {
        for (const message of take()) store.account(account).messages.add(message);
        await store.durable();
      }
    });
    const reference = await milliseconds(() => {
      for (let count = 0; count < groups; count++) bare.add(take());
    });
    const perSecond = (time: number): number => (1_000 * group * groups) / time;
    yield {
      name: `store, durable adds, ${group} at a time`,
      ours: perSecond(ours),
      reference: perSecond(reference),
      unit: 'messages/s',
    };
  }
  await store.close();
  bare.close();
}

/** What people type: one word or its beginning, two words, and some of it within a conversation. */
function someQueries(): readonly { readonly words: readonly string[]; readonly peer?: string }[] {
  const random = seededNumbers(99);
  return Array.from({ length: searches }, (_, index) => {
    const word = someWord(random);
    const words =
      index % 3 === 0 ? [word.slice(0, 1 + (index % 4))] : index % 3 === 1 ? [word] : [word, someWord(random)];
    return index % 5 === 0 ? { words, peer: peerOf(Math.floor(random() * 400)) } : { words };
  });
}

async function fill(folder: string, count: number) {
  const store = await open(folder);
  const bare = new BareStore(join(folder, 'bare.db'));
  const ours = storedMessages(count)[Symbol.iterator]();
  const theirs = storedMessages(count)[Symbol.iterator]();
  let oursTime = 0;
  let bareTime = 0;
  for (let done = 0; done < count; done += batch) {
    const mine = [...first({ [Symbol.iterator]: () => ours }, Math.min(batch, count - done))];
    oursTime += await milliseconds(() => addTo(store, mine));
    const same = [...first({ [Symbol.iterator]: () => theirs }, mine.length)];
    bareTime += await milliseconds(() => bare.add(same));
  }
  return { store, bare, oursPerSecond: (1_000 * count) / oursTime, barePerSecond: (1_000 * count) / bareTime };
}

async function addTo(store: Store, messages: readonly ChatMessage[]): Promise<void> {
  store.transaction(() => {
    for (const message of messages) store.account(account).messages.add(message);
  });
  await store.durable();
}

const open = async (folder: string): Promise<Store> => (await openStore({ folder, key: key() })).store;

/** Without ending the source, as `for ... of` would. */
function* first<Value>(source: Iterable<Value>, count: number): Iterable<Value> {
  const iterator = source[Symbol.iterator]();
  for (let taken = 0; taken < count; taken++) {
    const next = iterator.next();
    if (next.done === true) return;
    yield next.value;
  }
}

async function milliseconds<Result>(
  action: () => Result | Promise<Result>,
  after: (result: Result) => unknown = () => undefined,
): Promise<number> {
  const start = performance.now();
  const result = await action();
  const time = performance.now() - start;
  await after(result);
  return time;
}

function quantile(times: readonly number[], part: number): number {
  const sorted = [...times].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
}
