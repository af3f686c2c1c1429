import { bird } from './bfd/daemons/bird.ts';
import { describeBfdMatrix } from './bfd/matrix.ts';

describeBfdMatrix(bird);
