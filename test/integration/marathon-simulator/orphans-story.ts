/** Run by ending.test.ts: starts a task that ignores SIGTERM and a shell with a child, says so, and waits for its own end. */
import { startSimulator } from '../../marathon-simulator/simulator.ts';
import { WEB, webApp } from '../../support/simulated.ts';

const [, , workDir = ''] = process.argv;
process.once('SIGUSR2', () => {
  throw new Error('a crash');
});
const marathon = await startSimulator({ agents: [{ host: '127.41.5.2' }], images: { web: WEB }, workDir });
await marathon.deployed(await marathon.add(webApp({ env: { DEAF: '1' }, healthChecks: [] })));
const shell = { id: '/shell', cmd: 'sleep 1000; true', container: undefined, portDefinitions: [], healthChecks: [] };
await marathon.deployed(await marathon.add(webApp(shell)));
process.stdout.write('running\n');
