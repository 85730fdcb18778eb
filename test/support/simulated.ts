/**
 * A simulator for the simulator's own tests: quick seconds, agents in a /24 of their own, and an app that answers.
 *
 * The app's env says how it behaves: `STATUS` it answers with, `EXIT` a code to end with at once, `DEAF` to ignore SIGTERM.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Executor, type Launch, processExecutor } from '../marathon-simulator/executor.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../marathon-simulator/simulator.ts';

const PROGRAM = `
  const { env } = process;
  if (env.EXIT) process.exit(Number(env.EXIT));
  if (env.DEAF) process.on('SIGTERM', () => undefined);
  const answer = (request, response) => { response.statusCode = Number(env.STATUS || 200); response.end(env.A ?? ''); };
  for (const port of (env.PORTS ?? '').split(',').filter(Boolean)) require('node:http').createServer(answer).listen(port, env.HOST);
  if (!env.PORTS) setInterval(() => undefined, 1000);
`;

export const WEB = processExecutor({ argv: [process.execPath, '-e', PROGRAM] });

/** The usual image, with each launch noted. */
export function noting(launches: Launch[]): Executor {
  return (launch, cluster) => {
    launches.push(launch);
    return WEB(launch, cluster);
  };
}

/** `net`: a number that no other test file uses; the agents are 127.41.<net>.2 and up. */
export async function simulated(
  t: TestContext,
  net: number,
  options: Partial<SimulatorOptions> & { agentCount?: number } = {},
): Promise<Simulator> {
  const workDir = await mkdtemp(join(tmpdir(), 'marathon-'));
  const hosts = Array.from({ length: options.agentCount ?? 1 }, (_, index) => `127.41.${net}.${index + 2}`);
  const simulator = await startSimulator({
    agents: hosts.map((host) => ({ host })),
    images: { web: WEB },
    secondMs: 20,
    workDir,
    ...options,
  });
  t.after(async () => {
    await simulator.close();
    await rm(workDir, { recursive: true, force: true });
  });
  return simulator;
}

const KILL_FIRST = { minimumHealthCapacity: 0, maximumOverCapacity: 0 };
export const START_FIRST = { minimumHealthCapacity: 1, maximumOverCapacity: 1 };

/** One instance, fixed port 8080 on the host network, a health check, kill-first unless told. */
export function webApp(more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    id: '/web',
    instances: 1,
    container: { type: 'DOCKER', docker: { image: 'web' } },
    networks: [{ mode: 'host' }],
    portDefinitions: [{ port: 8080 }],
    requirePorts: true,
    env: { A: '1' },
    healthChecks: [{ protocol: 'HTTP', path: '/', portIndex: 0, intervalSeconds: 1, timeoutSeconds: 5 }],
    upgradeStrategy: KILL_FIRST,
    ...more,
  };
}

/** The member of an answer's body that a path leads to. */
export function member(body: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string | number, unknown> | undefined)?.[key], body);
}
