export { SoftwareSim, simName, type SimOutcome, type SoftwareSimParts } from './software-sim.ts';
