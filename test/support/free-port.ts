/**
 * A port for a server that is told its port. Drawn from below those that the kernel gives to outgoing connections: one of
 * those would now and then have taken it before the server does. Ports of agents, of services and of the web lie elsewhere.
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

const FROM = 2_000;
const BELOW = 10_000;

const given = new Set<number>();

/** Free at the time of looking, and given to nobody else in this process. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = randomInt(FROM, BELOW);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(host, port)) return port;
  }
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer().listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  await new Promise((closed) => server.close(closed));
  return true;
}
