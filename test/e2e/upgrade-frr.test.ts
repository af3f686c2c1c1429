/** New speakers take over the sessions of the old ones, with FRR as the router. */
import { upgradesWithoutLoss } from './upgrade-fixtures.ts';

upgradesWithoutLoss('FRR');
