import type { PreloadBridge } from '../../src/contract/index.ts';
import { BridgeClient } from './client.ts';
import { PreloadTransport } from './preload-transport.ts';
import { WebSocketTransport } from './websocket-transport.ts';

declare global {
  interface Window {
    /** Present in the desktop shell only. */
    readonly tessera?: PreloadBridge;
  }
}

/** The desktop shell's bridge where there is one, else the console that served this page. */
export function connectBridge(): BridgeClient {
  if (window.tessera !== undefined) return new BridgeClient(new PreloadTransport(window.tessera));
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  return new BridgeClient(new WebSocketTransport(`${scheme}://${location.host}/bridge`));
}
