export {
  decodeImdn,
  encodeImdn,
  imdnContentType,
  imdnLimits,
  type ImdnKind,
  type ImdnPayload,
  type ImdnStatus,
} from './imdn.ts';
