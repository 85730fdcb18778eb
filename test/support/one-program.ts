/**
 * The whole program in this process, between a canned CA and a canned Marathon: started, asked for its status, stopped.
 *
 * Its load balancer is its own listener, so that every name routes to it; each has an address of its own in 127.0.0.0/8.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { parseConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { Service } from '../../src/service.ts';
import { startCannedMarathon } from './canned-marathon.ts';

const HTTP_PORT = 8_080;
const ADMIN_PORT = 9_000;
const VERSION = '2026-01-01T00:00:00.000Z';
let programs = 0;

/** As much of `/api/status` as tests of the catalogue read. */
export interface Told {
  readonly at: string;
  readonly certificate: {
    readonly state: string;
    readonly why: string;
    readonly names: readonly {
      readonly name: string;
      readonly obstacle?: { readonly from: string; readonly why: string; readonly until: string };
    }[];
  };
}

export interface Program {
  /** Of the admin listener. */
  readonly url: string;
  told(): Promise<Told | null>;
}

export interface Surroundings {
  readonly directoryUrl: string;
  readonly domains: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export async function startProgram(t: TestContext, { directoryUrl, domains, env }: Surroundings): Promise<Program> {
  const address = `127.46.${process.pid % 250}.${++programs + 1}`;
  const folder = await mkdtemp(join(tmpdir(), 'program-'));
  const marathon = await startCannedMarathon(t, ({ path }) => answerTo(path, address, domains));
  const config = parseConfig({
    ...{ MARATHON_URL: marathon.url, LETSENCRYPT_SERVER_URL: directoryUrl, STATE_DIR: join(folder, 'state') },
    ...{ LISTEN_ADDRESS: address, HTTP_PORT: `${HTTP_PORT}`, ADMIN_PORT: `${ADMIN_PORT}` },
    ...{ KEY_TYPE: 'ec256', PREFLIGHT: 'off' },
    ...env,
  });
  const stop = new AbortController();
  const service = await Service.create(config, createLog({ level: 'silent' }));
  const running = service.run(stop.signal);
  t.after(async () => {
    stop.abort();
    await running;
    await rm(folder, { recursive: true, force: true });
  });
  const url = `http://${address}:${ADMIN_PORT}`;
  return {
    url,
    told: async () => {
      const reply = await fetch(`${url}/api/status`, { signal: AbortSignal.timeout(5_000) });
      return ((await reply.json()) as { plan: Told | null }).plan;
    },
  };
}

function answerTo(path: string, host: string, domains: readonly string[]) {
  const app = (id: string, more: object) => ({ body: { app: { id, version: VERSION, instances: 1, ...more } } });
  const task = (id: string, ports: readonly number[]) => ({
    ...{ id, host, ports, state: 'TASK_RUNNING', version: VERSION, startedAt: VERSION },
  });
  if (path === '/v2/apps/letsencrypt-dcos') {
    return app('/letsencrypt-dcos', { labels: { HAPROXY_0_VHOST: domains.join(',') }, tasks: [task('ours', [])] });
  }
  if (path === '/v2/apps/marathon-lb') {
    const portMappings = [{ containerPort: 80 }, { containerPort: 443 }];
    const container = { type: 'DOCKER', portMappings };
    const networks = [{ mode: 'container/bridge' }];
    return app('/marathon-lb', { env: {}, container, networks, tasks: [task('lb', [HTTP_PORT, HTTP_PORT])] });
  }
  return path === '/v2/deployments' ? { body: [] } : { status: 404, body: { message: 'not here' } };
}
