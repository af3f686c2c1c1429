/** New speakers take the sessions of the old ones over, with FRR as the router. */
import { upgradesWithoutLoss } from './upgrade-fixtures.ts';

upgradesWithoutLoss('FRR');
