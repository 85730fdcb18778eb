/** Run by tasks.test.ts: starts a task that ignores SIGTERM, prints its pid, and waits to be ended itself. */
import { startSimulator } from '../../marathon-simulator/simulator.ts';
import { WEB, webApp } from '../../support/simulated.ts';

const [, , workDir = ''] = process.argv;
const marathon = await startSimulator({ agents: [{ host: '127.41.5.2' }], images: { web: WEB }, workDir });
await marathon.deployed(await marathon.add(webApp({ env: { DEAF: '1' }, healthChecks: [] })));
process.stdout.write(`${marathon.tasksOf('/web')[0]?.pid}\n`);
