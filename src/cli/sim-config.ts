import { z } from 'zod';
import { fromHex } from '../base/bytes.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { computeOpc, type MilenageKeys } from '../protocol/gba/index.ts';

const octets = (count: number): z.ZodString =>
  z.string().regex(new RegExp(`^[0-9a-fA-F]{${2 * count}}$`), `expected ${count} octets in hexadecimal`);

/** A software SIM in a configuration file: K, and either OPc or the operator's OP, from which OPc is made. */
export const simFields = { k: octets(16), opc: octets(16).optional(), op: octets(16).optional() } as const;
/** The only AMF that challenges may carry. */
export const amfField = octets(2).optional();

export type SimConfig = z.infer<z.ZodObject<typeof simFields>>;

/** What is wrong with it, if anything. */
export function simProblem({ opc, op }: SimConfig): string | undefined {
  return (opc === undefined) === (op === undefined) ? 'expected either opc or op' : undefined;
}

/** @throws Error when `simProblem` has something to say */
export function simKeys(config: SimConfig): MilenageKeys {
  const problem = simProblem(config);
  if (problem !== undefined) throw new Error(problem);
  const k = new SecretBytes(fromHex(config.k));
  if (config.opc !== undefined) return { k, opc: new SecretBytes(fromHex(config.opc)) };
  const op = new SecretBytes(fromHex(config.op ?? ''));
  const opc = computeOpc(k, op);
  op.dispose();
  return { k, opc };
}
