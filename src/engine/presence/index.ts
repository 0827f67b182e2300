export { AccountPresence } from './account-presence.ts';
export { presenceStates, type OwnPresenceView, type PresenceState, type PresenceView } from './presence-types.ts';
