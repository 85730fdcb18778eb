/** `node --import test/simulation/planted.ts some.test.ts`: a unit test with the planted bug PLANTED_BUG in the source. */
import { plant } from './plant.ts';

plant(process.env.PLANTED_BUG ?? '');
