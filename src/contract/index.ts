export * from './calls.ts';
export * from './envelope.ts';
export * from './events.ts';
export * from './evidence.ts';
export * from './files.ts';
export * from './snapshot.ts';
export * from './views.ts';
