/**
 * The simulator alone, for any client: another program's load balancer, the dcos CLI, curl.
 *
 * Runs until SIGINT, SIGTERM or SIGHUP, kills what it started, and leaves nothing behind.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { images } from '../support/images.ts';
import type { AgentOptions } from './agents.ts';
import { type Executor, processExecutor } from './executor.ts';
import { PROFILES, type Profile } from './profiles.ts';
import { startSimulator } from './simulator.ts';

const HELP = `A Marathon that runs real processes on this machine, for tests and for trying things.

  npm run simulator -- [options]

  --port N               port of the API; 8080 unless told
  --host ADDRESS         address of the API; 127.0.0.1 unless told
  --profile P            which Marathon to be: ${PROFILES.join(', ')}; 1.9 unless told
  --agents A,B           addresses of the agents, each with a role if wanted: 127.0.0.2=slave_public,127.0.0.3
  --image NAME=COMMAND   run tasks of this Docker image by this shell command (may be repeated); an app without an
                         image runs its own cmd; mesosphere/letsencrypt-dcos and mesosphere/marathon-lb are built in
  --external APP=HOST    report APP's tasks as running on HOST without starting anything (may be repeated)
  --work-dir FOLDER      sandboxes and volumes, kept; a temporary folder, removed at the end, unless told
  --quiet                do not print events
  --help
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8080' },
      host: { type: 'string', default: '127.0.0.1' },
      profile: { type: 'string', default: '1.9' },
      agents: { type: 'string', default: '127.0.0.1' },
      image: { type: 'string', multiple: true, default: [] },
      external: { type: 'string', multiple: true, default: [] },
      'work-dir': { type: 'string' },
      quiet: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const ended = stopped();
  const workDir = values['work-dir'] ?? (await mkdtemp(join(tmpdir(), 'marathon-')));
  let url = '';
  try {
    const simulator = await startSimulator({
      port: number(values.port),
      host: values.host,
      profile: profile(values.profile),
      agents: values.agents.split(',').map(agent),
      images: { ...images({ marathonUrl: () => url }), ...Object.fromEntries(values.image.map(image)) },
      external: Object.fromEntries(values.external.map(external)),
      workDir,
      onEvent: ({ eventType, timestamp, appId, taskId, taskStatus, id }) => {
        if (!values.quiet) print({ timestamp, eventType, appId, taskId, taskStatus, id });
      },
    });
    url = simulator.url;
    print({ listening: simulator.url, agents: values.agents, profile: values.profile });
    await ended;
    await simulator.close();
  } finally {
    if (values['work-dir'] === undefined) await rm(workDir, { recursive: true, force: true });
  }
}

function print(facts: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify(facts)}\n`);
}

/** `on` and not `once`: while we listen, the guard of our tasks (executor.ts) leaves a signal to us, the second one too. */
function stopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
}

function number(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`--port must be a port, not '${text}'`);
  return port;
}

function profile(text: string): Profile {
  const found = PROFILES.find((name) => name === text);
  if (!found) throw new Error(`--profile must be one of ${PROFILES.join(', ')}, not '${text}'`);
  return found;
}

function agent(text: string): AgentOptions {
  const [host = '', role] = text.split('=');
  return { host, ...(role === undefined ? {} : { role }) };
}

function pair(text: string, option: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new Error(`${option} must be NAME=VALUE, not '${text}'`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function image(text: string): readonly [string, Executor] {
  const [name, command] = pair(text, '--image');
  return [name, processExecutor({ argv: ['/bin/sh', '-c', command, name] })];
}

function external(text: string): readonly [string, string] {
  const [appId, host] = pair(text, '--external');
  return [`/${appId.replace(/^\/+/, '')}`, host];
}

main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
});
