export {
  akaDigestPassword,
  decodeAkaNonce,
  decodeAuts,
  encodeAkaNonce,
  encodeAuts,
  type AkaDigestAlgorithm,
  type AkaNonce,
} from './aka-digest.ts';
export {
  AuthenticationCentre,
  type AuthenticationVector,
  type ResynchronisationOutcome,
} from './authentication-centre.ts';
export {
  bootstrappingInfoLimits,
  decodeBootstrappingInfo,
  encodeBootstrappingInfo,
  type BootstrappingInfo,
} from './bootstrapping-info.ts';
export { formatBtid, parseBtid, type BootstrappingTransactionId } from './b-tid.ts';
export { gbaDigestKs, gbaDigestPassword, hashedCredentials } from './gba-digest.ts';
export { bootstrappingKey, gbaKdf, ksNaf, nafId, uaProtocolKms, type KsNafInput } from './key-derivation.ts';
export { computeOpc, Milenage, standardConstants, type MilenageConstants, type MilenageKeys } from './milenage.ts';
export {
  acceptSequenceNumber,
  checkSequenceWindow,
  emptySequenceWindow,
  highestSequenceNumber,
  readSequenceNumber,
  standardSequenceRules,
  writeSequenceNumber,
  type SequenceNumber,
  type SequenceRules,
  type SequenceWindow,
} from './sequence-number.ts';
export { disposeAkaKeys, Usim, type AkaKeys, type UsimOptions, type UsimOutcome } from './usim.ts';
