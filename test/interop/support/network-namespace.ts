import { spawnSync } from 'node:child_process';
import { lackOfProgram, type Lack } from '../../support/needs/needs.ts';

/** A network of its own, with loopback, one more address on it and a default route onto itself (Linux, as root). */
export interface NetworkNamespace {
  /** Program and parameters to put before those of a program that is to run inside. */
  readonly within: readonly string[];
  readonly address: string;
  remove(): void;
}

let count = 0;

/** Undefined where this machine lets us make one. */
export function lackOfNetworkNamespace(): Lack | undefined {
  const lack = lackOfProgram(['iproute2'], 'ip');
  if (lack !== undefined) return lack;
  const trial = createNetworkNamespace();
  trial?.remove();
  return trial === undefined ? { reason: 'no network namespace may be made (root may)', packages: [] } : undefined;
}

/** Undefined where the machine allows none. */
export function createNetworkNamespace(): NetworkNamespace | undefined {
  const name = `tessera-${process.pid}-${count++}`;
  const address = '192.0.2.1';
  if (!succeeds('ip', 'netns', 'add', name)) return undefined;
  const within = ['ip', 'netns', 'exec', name];
  const remove = (): void => void succeeds('ip', 'netns', 'del', name);
  const steps = [
    ['ip', 'link', 'set', 'lo', 'up'],
    ['ip', 'address', 'add', `${address}/24`, 'dev', 'lo'],
    ['ip', 'route', 'add', 'default', 'dev', 'lo'],
  ];
  if (steps.every((step) => succeeds(...within, ...step))) return { within, address, remove };
  remove();
  return undefined;
}

function succeeds(...[program = '', ...parameters]: readonly string[]): boolean {
  return spawnSync(program, parameters, { stdio: 'ignore' }).status === 0;
}
