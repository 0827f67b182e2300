/** One end of a measurement, in a process and on a core of its own; told what to do over the channel to its parent. */
import { readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { bareEnds } from './bare-ends.ts';
import { msrpEnds } from './msrp-ends.ts';
import type { PeerCommand, PeerReply, PeerTask } from './peer-messages.ts';
import type { Figures } from './scenario.ts';
import { connectTo, listen, protect } from './wire.ts';

const mebibyte = 1024 * 1024;
let run: (share: number) => Promise<Figures> = () => Promise.resolve({});
let before = { milliseconds: 0, cpu: process.cpuUsage(), octets: 0 };

const ends = ({ stack, settings }: PeerTask) => (stack === 'msrp' ? msrpEnds(settings) : bareEnds(settings));

async function takeConnections(task: PeerTask): Promise<void> {
  const { server, port } = await listen();
  const raws: Socket[] = [];
  server.on('connection', (socket) => raws.push(socket));
  reply({ type: 'listening', port });
  while (raws.length < task.connections) await once(server, 'connection');
  server.close();
  await ends(task).receive(await Promise.all(raws.map((raw) => protect(raw, 'server', task.protection))));
  reply({ type: 'ready', description: '' });
}

async function makeConnections(task: PeerTask, port: number): Promise<void> {
  // The other end shakes hands when it has all of them.
  const raws: Socket[] = [];
  for (let count = 0; count < task.connections; count++) raws.push(await connectTo(port));
  const wires = await Promise.all(raws.map((raw) => protect(raw, 'client', task.protection)));
  run = ends(task).send(wires);
  reply({ type: 'ready', description: wires[0]?.description ?? '' });
}

/** Resident memory of this process: now, or the most since it was last set back (proc(5), clear_refs). */
function residentOctets(which: 'VmRSS' | 'VmHWM'): number {
  const [, kibibytes] =
    new RegExp(`^${which}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}

function begin(): void {
  writeFileSync('/proc/self/clear_refs', '5');
  before = { milliseconds: performance.now(), cpu: process.cpuUsage(), octets: residentOctets('VmRSS') };
}

function measures(): Figures {
  const { user, system } = process.cpuUsage(before.cpu);
  return {
    seconds: (performance.now() - before.milliseconds) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakMebibytes: (residentOctets('VmHWM') - before.octets) / mebibyte,
    idleMebibytes: before.octets / mebibyte,
  };
}

async function take(command: PeerCommand): Promise<void> {
  switch (command.type) {
    case 'listen':
      return takeConnections(command.task);
    case 'connect':
      return makeConnections(command.task, command.port);
    case 'begin':
      begin();
      {
        reply({ type: 'figures', figures: {} });
        return;
      }
    case 'run': {
      begin();
      const figures = await run(command.share);
      reply({ type: 'figures', figures: { ...figures, ...measures() } });
      return;
    }
    case 'measures': {
      reply({ type: 'figures', figures: measures() });
      return;
    }
    case 'end':
      // In order, so that a CPU profile is written.
      process.exit(0);
  }
}

function reply(message: PeerReply): void {
  process.send?.(message);
}

process.on('message', (command: PeerCommand) => {
  take(command).catch((error: unknown) => reply({ type: 'failed', problem: String(error) }));
});
process.stdout.write('waits\n');
