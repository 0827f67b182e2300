export { AccountPresence, type PresenceEvents, type PresenceSettings, type WatchOutcome } from './account-presence.ts';
export { presenceStates, type OwnPresenceView, type PresenceState, type PresenceView } from './presence-types.ts';
