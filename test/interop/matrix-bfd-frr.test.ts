import { frr } from './bfd/daemons/frr.ts';
import { describeBfdMatrix } from './bfd/matrix.ts';

describeBfdMatrix(frr);
