export { type ContentEncryption } from './algorithms.ts';
export { cmsLimits, readAuthEnveloped, type AuthEnvelopedParts } from './auth-enveloped-reader.ts';
export { openAuthEnveloped, sealAuthEnveloped, type OpenedContent } from './auth-enveloped.ts';
