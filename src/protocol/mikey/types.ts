// The types of the public calls, by what they belong to.
export type * from './key-types.ts';
export type * from './receive-types.ts';
export type * from './ticket-types.ts';
export type * from './transfer-types.ts';
export type * from './public-key-types.ts';
