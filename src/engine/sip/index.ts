export { createSipUserAgent, type SipUserAgentOptions } from './sip-user-agent.ts';
export type * from './types.ts';
