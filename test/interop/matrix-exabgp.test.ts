import { exabgp } from './daemons/exabgp.ts';
import { describeMatrix } from './matrix.ts';

describeMatrix(exabgp);
