/** The IPC channels between a window and the main process. */
export const channels = { call: 'tessera:call', event: 'tessera:event', drop: 'tessera:drop' } as const;
