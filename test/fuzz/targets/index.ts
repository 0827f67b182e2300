import type { FuzzTarget } from '../target.ts';
import { certificates } from './certificates.ts';
import { fileTargets } from './files.ts';
import { gba } from './gba.ts';
import { inspector } from './inspector.ts';
import { mikeyCodec } from './mikey-codec.ts';
import { mikeyKms } from './mikey-kms.ts';
import { mikeyKmsPublicKey } from './mikey-kms-pk.ts';
import { mikeyAnswers, mikeyTicket, mikeyTransfer } from './mikey-parties.ts';
import { mikeyUpdate } from './mikey-update.ts';
import { msrpLink } from './msrp-link.ts';
import { proxy } from './proxy.ts';
import { sipAccessTargets } from './sip-access.ts';
import { textTargets } from './text-formats.ts';
import { ub } from './ub.ts';
import { vcard } from './vcard.ts';
import { xmlTargets } from './xml.ts';
import { zn } from './zn.ts';

export const targets: readonly FuzzTarget[] = [
  mikeyCodec,
  mikeyKms,
  mikeyKmsPublicKey,
  mikeyTransfer,
  mikeyAnswers,
  mikeyTicket,
  mikeyUpdate,
  certificates,
  inspector,
  gba,
  ub,
  zn,
  vcard,
  proxy,
  msrpLink,
  ...xmlTargets,
  ...sipAccessTargets,
  ...fileTargets,
  ...textTargets,
];
