import { bird } from './daemons/bird.ts';
import { describeMatrix } from './matrix.ts';

describeMatrix(bird);
