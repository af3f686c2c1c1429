import { controllerSweeps } from './controller-sweeps.ts';
import { layer2Sweeps } from './layer2-sweeps.ts';
import { membershipSweeps } from './membership-sweeps.ts';
import { speakerSweeps } from './speaker-sweeps.ts';
import type { Sweep } from './sweep.ts';

/** All sweeps, in the order of the table. */
export const sweeps: readonly Sweep[] = [
  ...speakerSweeps,
  ...layer2Sweeps,
  ...membershipSweeps,
  ...controllerSweeps,
];
