import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

const folders = (): readonly string[] => (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');

/** `/usr` for `/usr/bin`: where an installation keeps what is not a command. */
const prefixes = (): readonly string[] =>
  folders()
    .filter((folder) => /[/\\]s?bin$/.test(folder))
    .map((folder) => dirname(folder));

/**
 * The path of a program, as the PATH leads to it; the `sbin` beside each `bin` counts too, because only root has those of Debian
 * on the PATH, and servers are kept there.
 */
export function findProgram(...names: readonly string[]): string | undefined {
  const places = [...folders(), ...prefixes().map((prefix) => join(prefix, 'sbin'))];
  return names.flatMap((name) => places.map((place) => join(place, name))).find(isProgram);
}

/** The paths of a file or folder below the `lib` of each installation on the PATH, also that for one architecture. */
export function findInLibraries(...path: readonly string[]): readonly string[] {
  const libraries = [...new Set(prefixes())].map((prefix) => join(prefix, 'lib'));
  const all = libraries.flatMap((library) => [library, ...namesIn(library).map((name) => join(library, name))]);
  return all.map((place) => join(place, ...path)).filter((place) => exists(place));
}

/** The names in a folder, none where it cannot be read. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
