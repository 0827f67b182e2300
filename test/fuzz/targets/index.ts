import type { FuzzTarget } from '../target.ts';
import { gba } from './gba.ts';
import { inspector } from './inspector.ts';
import { mikeyCodec } from './mikey-codec.ts';
import { mikeyKms } from './mikey-kms.ts';
import { mikeyAnswers, mikeyTicket, mikeyTransfer } from './mikey-parties.ts';
import { mikeyUpdate } from './mikey-update.ts';
import { textTargets } from './text-formats.ts';

export const targets: readonly FuzzTarget[] = [
  mikeyCodec,
  mikeyKms,
  mikeyTransfer,
  mikeyAnswers,
  mikeyTicket,
  mikeyUpdate,
  inspector,
  gba,
  ...textTargets,
];
