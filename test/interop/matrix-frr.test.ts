import { frr } from './daemons/frr.ts';
import { describeMatrix } from './matrix.ts';

describeMatrix(frr);
