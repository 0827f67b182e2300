export { inspectLonePayload, inspectMessage, mikeyShapeOf } from './inspect-mikey.ts';
export type { MikeyInspection, MikeyInspectionOptions } from './inspect-mikey.ts';
export type { Finding } from './proof-types.ts';
