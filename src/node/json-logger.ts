import type { Logger, LogLevel } from '../base/log.ts';

const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** One JSON object a line: time, the fields, level, event. */
export function createJsonLogger(write: (line: string) => void, minimum: LogLevel = 'info'): Logger {
  return {
    log(level, event, fields = {}) {
      if (order.indexOf(level) < order.indexOf(minimum)) return;
      write(`${JSON.stringify({ time: new Date().toISOString(), ...fields, level, event })}\n`);
    },
  };
}
