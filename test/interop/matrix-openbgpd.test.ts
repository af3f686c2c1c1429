import { openbgpd } from './daemons/openbgpd.ts';
import { describeMatrix } from './matrix.ts';

describeMatrix(openbgpd);
