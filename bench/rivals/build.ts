/** Builds MetalLB where Go is installed, for tests that run without a network. Where it cannot be built, says why, and such tests are skipped. */
import { buildMetalLb, goVersion } from './metallb-build.ts';

if (goVersion() === undefined) console.log('MetalLB is not built, because Go is not installed.');
else
  try {
    buildMetalLb();
  } catch (error) {
    console.log(`MetalLB cannot be built: ${String(error)}`);
  }
