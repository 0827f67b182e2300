/** The two IPC channels between a window and the main process. */
export const channels = { call: 'tessera:call', event: 'tessera:event' } as const;
