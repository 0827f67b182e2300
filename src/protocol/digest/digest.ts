export { akaAlgorithms, isSession, isWeaker, passwordAlgorithms, type DigestAlgorithm } from './algorithms.ts';
export { provesServer, readAuthenticationInfo, readNextNonce } from './authentication-info.ts';
export {
  readChallenge,
  readChallenges,
  selectChallenge,
  strongest,
  type DigestChallenge,
  type QualityOfProtection,
} from './challenge.ts';
export {
  answerChallenge,
  digestResponse,
  hashedUsername,
  initialAuthorization,
  refuseChallenge,
  type DigestAnswerInput,
  type DigestInput,
} from './response.ts';
