export {
  akaAlgorithms,
  isSession,
  isWeaker,
  passwordAlgorithms,
  strength,
  type DigestAlgorithm,
  type PasswordAlgorithm,
} from './algorithms.ts';
export { provesServer, readAuthenticationInfo, readNextNonce, type AuthenticationInfo } from './authentication-info.ts';
export {
  readChallenge,
  readChallenges,
  selectChallenge,
  strongest,
  type ChallengeChoice,
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
