export { Composer, ComposingWatcher, idleMilliseconds, refreshSeconds, renewalMilliseconds } from './composer.ts';
export { composingContentType, decodeComposing, encodeComposing, type ComposingStatus } from './is-composing.ts';
