import { lookup } from 'node:dns/promises';

/** All addresses of a name, none when it has none. */
export async function lookUp(name: string): Promise<readonly string[]> {
  try {
    const found = await lookup(name, { all: true });
    return found.map(({ address }) => address);
  } catch {
    return [];
  }
}
