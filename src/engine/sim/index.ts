export { SoftwareSim, simName } from './software-sim.ts';
