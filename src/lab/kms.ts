import type { Logger } from '../base/log.ts';
import type { LabFaults } from './faults.ts';
import type { LabUser } from './users.ts';
import type { WireRecorder } from './wire-recorder.ts';

export interface LabKms {
  readonly url: string;
  readonly identity: string;
  stop(): Promise<void>;
}

export interface LabKmsOptions {
  readonly users: ReadonlyMap<string, LabUser>;
  readonly faults: LabFaults;
  readonly recorder: WireRecorder;
  readonly log: Logger;
  readonly port: number;
  readonly host: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export function startLabKms(options: LabKmsOptions): Promise<LabKms> {
  return Promise.resolve({
    url: `https://127.0.0.1:${options.port}`,
    identity: `sip:${options.host}`,
    stop: () => Promise.resolve(),
  });
}
