export {
  readConferenceInfo,
  type ConferenceEndpoint,
  type ConferenceInfo,
  type ConferenceState,
  type ConferenceUser,
} from './conference-info.ts';
export { Roster, type RosterChange, type RosterEntry } from './roster.ts';
