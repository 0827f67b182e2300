import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const usualNames: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  darwin: 'Electron.app/Contents/MacOS/Electron',
  win32: 'electron.exe',
};

export interface ElectronPlace {
  /** Folder of the npm package. */
  readonly packageDir: string;
  /** ELECTRON_OVERRIDE_DIST_PATH: a folder with another build. */
  readonly overrideDir: string | undefined;
  readonly platform: NodeJS.Platform;
}

/** The Electron executable of this machine, or undefined. Only looks: the npm package itself would download what is missing. */
export function findElectronBinary({ packageDir, overrideDir, platform }: ElectronPlace): string | undefined {
  const name = nameIn(packageDir) ?? usualNames[platform] ?? 'electron';
  const isOverridden = overrideDir !== undefined && overrideDir !== '';
  const binary = isOverridden ? join(overrideDir, name) : join(packageDir, 'dist', name);
  return existsSync(binary) ? binary : undefined;
}

function nameIn(packageDir: string): string | undefined {
  const file = join(packageDir, 'path.txt');
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
}
