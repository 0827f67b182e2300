export { createSipUserAgent } from './sip-user-agent.ts';
export type * from './types.ts';
