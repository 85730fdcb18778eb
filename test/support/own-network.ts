/**
 * Running a script in a network and mount namespace of its own: no packet leaves, any port and address may be taken.
 *
 * As root directly, else within a user namespace where the machine allows one.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

/** `addresses` are added to the namespace's loopback interface, e.g. 10.64.7.2. */
export async function inOwnNetwork(
  script: string,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<Outcome> {
  const asUser = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const add = addresses.map((address) => `ip addr add ${address}/32 dev lo`);
  const setUp = ['ip link set lo up', ...add, 'exec "$@"'].join(' && ');
  const child = spawn('unshare', [...asUser, '--net', '--mount', 'sh', '-c', setUp, 'sh', process.execPath, script], {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, NODE_TEST_CONTEXT: undefined },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output: Buffer.concat(chunks).toString() };
}
