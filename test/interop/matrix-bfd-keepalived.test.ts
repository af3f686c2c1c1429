import { keepalived } from './bfd/daemons/keepalived.ts';
import { describeBfdMatrix } from './bfd/matrix.ts';

describeBfdMatrix(keepalived);
