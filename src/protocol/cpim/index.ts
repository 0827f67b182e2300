export { cpimLimits, cpimNamespaces, type CpimAddress, type CpimHeader, type CpimMessage } from './cpim-message.ts';
export { decodeCpim } from './decode.ts';
export { encodeCpim } from './encode.ts';
