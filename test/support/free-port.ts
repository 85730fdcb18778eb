/**
 * A port for a server that is told its port. Drawn from below those that the kernel gives to outgoing connections: one of
 * those would now and then have taken it before the server does. Ports of agents, of services and of the web lie elsewhere.
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ListenOptions, type Server } from 'node:net';

const FROM = 2_000;
const BELOW = 10_000;

/** Free at the time of looking, and given to nobody else as long as this process lives. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = randomInt(FROM, BELOW);
    if ((await reserve(port)) && (await isFree(host, port))) return port;
  }
}

/** Among all who draw here, at the same time and in any process: an abstract socket ends with the process that has it. */
async function reserve(port: number): Promise<boolean> {
  const held = await listening({ path: `\0letsencrypt-dcos test port ${port}` });
  held?.unref();
  return held !== undefined;
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = await listening({ host, port });
  if (server === undefined) return false;
  await new Promise((closed) => server.close(closed));
  return true;
}

/** Undefined: somebody is there. */
async function listening(where: ListenOptions): Promise<Server | undefined> {
  const server = createServer().listen(where);
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}
