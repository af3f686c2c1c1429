import { gobgp } from './daemons/gobgp.ts';
import { describeMatrix } from './matrix.ts';

describeMatrix(gobgp);
