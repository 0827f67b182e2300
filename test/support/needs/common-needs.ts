import { createRequire } from 'node:module';
import { networkInterfaces } from 'node:os';
import { lackOfProgram, type Lack } from './needs.ts';

export const lackOfOpenssl = lackOfProgram(['openssl'], 'openssl');
export const lackOfGnutls = lackOfProgram(['gnutls-bin'], 'gnutls-cli', 'gnutls-serv');

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
export const lackOfIpv6: Lack | undefined = hasIpv6
  ? undefined
  : { reason: 'this machine has no ::1, the loopback address of IPv6', packages: [] };

const require = createRequire(import.meta.url);
const packagesOfKeytar = ['libsecret-1-dev', 'g++', 'make', 'python3'];

/** Undefined where npm could install keytar, whether or not its native part loads. */
export function lackOfKeytarPackage(): Lack | undefined {
  try {
    require.resolve('keytar/package.json');
    return undefined;
  } catch {
    return { reason: 'keytar could not be installed by npm', packages: packagesOfKeytar };
  }
}

/** Undefined where keytar can be loaded. */
export function lackOfKeytar(): Lack | undefined {
  const lack = lackOfKeytarPackage();
  if (lack !== undefined) return lack;
  try {
    require('keytar');
    return undefined;
  } catch {
    return { reason: 'the native part of keytar does not load', packages: packagesOfKeytar };
  }
}
