/**
 * What every npm script goes through, so that the README's commands work on a fresh Debian or Ubuntu with any Node ≥ 20.
 *
 * Plain JavaScript and nothing but Node's own modules: it runs before anything is installed. It brings the node
 * modules and the Debian packages that a task lacks, then runs the task on Node 24 (from the npm packages
 * node-linux-*). What it has to say goes to stderr: stdout is the task's. Tests run in namespaces of their own, see below.
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { delimiter, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');
const cache = join(root, 'node_modules', '.cache', 'letsencrypt-dcos');
const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? ['env'] : ['sudo', '-n', 'env'];

// sbin: haproxy and ip live there, and a user's PATH seldom has it.
const path = [bin, process.env.PATH, '/usr/sbin', '/sbin'].filter(Boolean).join(delimiter);
const { NODE_TEST_CONTEXT: _, ...inherited } = process.env; // set when a test starts us; it would make our tests mute
const env = { ...inherited, PATH: path };

/** command → Debian package; only what the task needs is asked for. */
const SERVERS = { pebble: 'pebble', 'pebble-challtestsrv': 'pebble', haproxy: 'haproxy' };
const BROWSER = { chromium: 'chromium' };
/** testssl.sh is a shell script that lives on hexdump. */
const SCANNER = { testssl: 'testssl.sh', hexdump: 'bsdextrautils', openssl: 'openssl' };
const SHELLS = { zsh: 'zsh', fish: 'fish' };
const DOCUMENTED = { curl: 'curl', jq: 'jq', openssl: 'openssl' };
/** Whom we are compared with; the comparison does without those that cannot be had. */
const PEERS = { certbot: 'certbot', lego: 'lego', uacme: 'uacme', 'acme-tiny': 'acme-tiny', caddy: 'caddy' };
const NAMESPACES = { ip: 'iproute2', unshare: 'util-linux', ...(isRoot ? {} : { newuidmap: 'uidmap' }) };

const TASKS = {
  demo: { needs: { ...SERVERS }, run: (args) => node('test/demo/demo.ts', ...args) },
  simulate: { needs: {}, run: (args) => node('test/simulation/cli.ts', ...args) },
  simulator: { needs: { haproxy: 'haproxy' }, run: (args) => node('test/marathon-simulator/cli.ts', ...args) },
  test: {
    needs: { ...SERVERS, ...BROWSER, ...NAMESPACES, ...DOCUMENTED },
    run: (args) => test((file) => !isConformance(file), args),
  },
  'test:conformance': {
    needs: { ...SERVERS, certbot: 'certbot', ...SCANNER, ...SHELLS, ...NAMESPACES },
    run: (args) => test(isConformance, args),
  },
  fuzz: { needs: { ...SERVERS, ...NAMESPACES }, run: fuzz },
  chaos: { needs: { ...SERVERS, ...NAMESPACES }, run: chaos },
  build: { needs: {}, run: (args) => node('test/support/bundle.mjs', ...args) },
  docs: { needs: {}, run: () => node('test/docs/write.ts') },
  bench: { needs: { ...SERVERS, ...NAMESPACES }, wants: PEERS, run: bench },
  sbom: { needs: {}, run: (args) => node('test/support/sbom.ts', ...args) },
  screenshots: { needs: BROWSER, run: (args) => node('test/browser/screenshots.ts', ...args) },
  check: { needs: { ...SERVERS, ...BROWSER, ...NAMESPACES, ...DOCUMENTED }, run: check },
};

async function main([name, ...args]) {
  const task = TASKS[name];
  if (!task) fail(`usage: bootstrap.mjs <${Object.keys(TASKS).join(' | ')}> [arguments]`);
  installNodeModules();
  installPackages({ ...task.needs, ...(mayInstall() ? task.wants : {}) });
  process.exitCode = await task.run(args);
}

async function check() {
  return (
    (await node(join(bin, 'biome'), 'ci', '.')) ||
    (await node(join(bin, 'tsc'), '-p', '.')) ||
    (await TASKS.test.run([]))
  );
}

// ---- node modules and Debian packages

/** npm leaves a copy of what it installed in node_modules: where that differs from the lockfile, install anew. */
function installNodeModules() {
  const wanted = readJson('package-lock.json');
  const installed = readJson('node_modules/.package-lock.json');
  const stale = Object.entries(wanted.packages).some(
    ([at, { version, optional }]) =>
      at !== '' && installed?.packages[at]?.version !== version && !(optional && installed?.packages[at] === undefined),
  );
  if (!stale) return;
  say('installing node modules …');
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  // Not `npm ci`: it refuses a lockfile without packages for systems that the registry at hand does not carry.
  quietly([
    ...npm,
    'install',
    '--no-save',
    '--ignore-scripts',
    '--include=dev',
    '--include=optional',
    '--loglevel=error',
  ]);
}

function readJson(name) {
  const file = join(root, name);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

function installPackages(needs) {
  const missing = Object.entries(needs).filter(([command]) => !onPath(command));
  const packages = [...new Set(missing.map(([, name]) => name))];
  if (packages.length === 0) return;
  if (!mayInstall()) fail(`please install first: apt-get install ${packages.join(' ')}`);

  say(`installing Debian packages: ${packages.join(' ')} …`);
  const apt = [...asRoot, 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-o', 'DPkg::Lock::Timeout=120', '-qq'];
  quietly([...apt, 'update']);
  quietly([...apt, 'install', '-y', '--no-install-recommends', ...packages]);
  // Debian starts a server of its own; nobody asked for that one. Without systemd there is none to stop.
  for (const server of ['haproxy', 'caddy'])
    if (packages.includes(server)) works([...asRoot, 'systemctl', 'disable', '--now', server]);
}

const mayInstall = () => onPath('apt-get') && works([...asRoot, 'true']);

function onPath(command) {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const works = ([command, ...args]) => spawnSync(command, args, { env }).status === 0;

/** Runs a step whose output matters only when it fails. */
function quietly([command, ...args]) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, env, encoding: 'utf8' });
  if (status !== 0) fail(`${[command, ...args].join(' ')} failed\n${error?.message ?? stdout + stderr}`);
}

// ---- running things

function node(...args) {
  return pass([node24(), ...args]);
}

function node24() {
  const packaged = join(bin, 'node');
  if (works([packaged, '--version'])) return packaged;
  if (Number.parseInt(process.versions.node, 10) >= 24) return process.execPath;
  return fail(`Node 24 or later is needed, this is ${process.version}, and npm has none for this machine`);
}

/** Resolves to the exit code. Signals go on to the child; those of a terminal have reached it already. */
function pass([command, ...args], { onStop } = {}) {
  const child = spawn(command, args, { cwd: root, env, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(onStop ?? signal);
    });
  }
  // `npm run` starts us by a shell, and a shell that is told to end tells nobody.
  const parent = process.ppid;
  const orphaned = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(orphaned);
    child.kill(onStop ?? 'SIGTERM');
  }, 500);
  return new Promise((done) => {
    child.on('error', (error) => fail(error.message));
    child.on('exit', (code, signal) => done(signal ? 1 : code));
  }).finally(() => clearInterval(orphaned));
}

// ---- tests

/** The properties at length: `--runs N` each or `--minutes N` each; `--seed N` (and `--path …`) bring a failure back. */
function fuzz(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      runs: { type: 'string' },
      minutes: { type: 'string' },
      seed: { type: 'string' },
      path: { type: 'string' },
    },
  });
  for (const [name, value] of Object.entries(values)) env[`FUZZ_${name.toUpperCase()}`] = value;
  if (values.runs === undefined && values.minutes === undefined && values.seed === undefined) env.FUZZ_RUNS = '10000';
  return test(isProperty, [...positionals, '--test-timeout=86400000', '--test-reporter=spec']);
}

/** Without a compile cache that a test left, and where ports 80 and 443 are free. */
function bench(args) {
  return isolated([node24(), 'bench/main.ts', ...args]);
}

/** The faults at length: for `--minutes N` (10), by the schedule of `--seed N`; one is drawn where none is given. */
function chaos(args) {
  const options = { minutes: { type: 'string', default: '10' }, seed: { type: 'string' } };
  const { values } = parseArgs({ args, options });
  env.CHAOS_MINUTES = values.minutes;
  env.CHAOS_SEED = values.seed ?? String(Math.floor(Math.random() * 1e6));
  return test(isChaos, ['--test-timeout=86400000', '--test-reporter=spec']);
}

const isChaos = (file) => file.startsWith(join('test', 'chaos'));
const isProperty = (file) => file.startsWith(join('test', 'properties'));
const isConformance = (file) => file.startsWith(join('test', 'conformance'));

/** Arguments are parts of file names (`npm test -- plan`) or options of `node --test`. */
function test(belongs, args) {
  const named = args
    .filter((arg) => !arg.startsWith('-'))
    .map((arg) => (existsSync(arg) ? relative(root, resolve(arg)) : arg));
  const options = args.filter((arg) => arg.startsWith('-'));
  const files = readdirSync(join(root, 'test'), { recursive: true })
    .map((file) => join('test', file))
    .filter((file) => file.endsWith('.test.ts') && belongs(file))
    .filter((file) => named.length === 0 || named.some((name) => file.includes(name)))
    .sort();
  if (files.length === 0) return fail(`no test file matches ${named.join(' ') || 'test/**/*.test.ts'}`);
  // Stories start the program some hundred times: bundled, and compiled modules are kept from run to run.
  const program = join(cache, 'program');
  env.TEST_PROGRAM = join(program, 'main.mjs');
  env.NODE_COMPILE_CACHE = join(cache, 'compiled');
  quietly([node24(), 'test/support/bundle.mjs', `--outdir=${program}`]);
  // Stories wait for servers much of the time: one more than there are cores.
  const concurrency = availableParallelism() + 1;
  return isolated([
    node24(),
    '--test',
    `--test-concurrency=${concurrency}`,
    // All rows of the kills are one test, of some minutes where the machine is quick.
    `--test-timeout=${env.KILLS === 'all' ? 1_500_000 : 300_000}`,
    ...options,
    ...files,
  ]);
}

/**
 * Runs a command in namespaces of its own: it may bind ports 80 and 443 there, mount over files, and whatever it
 * starts ends with it. A machine that forbids all of that still lets root run it plainly.
 */
function isolated(command) {
  const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const asUser = [
    ['--user', '--map-root-user', '--map-auto'],
    ['--user', '--map-root-user'],
  ]; // the first knows other uids too
  const ways = (isRoot ? [[]] : asUser).map((user) => ['unshare', ...user, ...namespaces]);
  const way = ways.find((unshare) => works([...unshare, 'true']));
  // The shell stays as process 1 and reaps what others leave; killing unshare ends everything below it.
  if (way)
    return pass([...way, 'sh', '-c', 'ip link set lo up && "$@"; exit $?', 'sh', ...command], { onStop: 'SIGKILL' });
  if (isRoot) return pass(command);
  return fail('the tests bind ports 80 and 443: allow user namespaces (unshare --user --net), or run them as root');
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}

await main(process.argv.slice(2));
