export {
  pidfContentType,
  readPidf,
  writePidf,
  type OwnPresence,
  type PresenceDocument,
  type PresenceTuple,
} from './pidf.ts';
