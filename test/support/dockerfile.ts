/**
 * The Dockerfile's own steps, done without a container engine: each stage is a folder, and what is to be RUN is run.
 *
 * What an engine would bring besides is borrowed from this machine: for the build the node modules that are installed, for the
 * image the program `node` with the libraries that it names. So the image's root has no shell, no npm and no Debian in it.
 * A word of Dockerfiles that is not known here fails the test that meets it.
 */
import { execFileSync } from 'node:child_process';
import { constants, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';

const PROJECT = join(import.meta.dirname, '..', '..');
const NODE_MODULES = join(PROJECT, 'node_modules');

export interface Image {
  /** The folder that is the container's `/`. */
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  /** What the last stage is FROM. */
  readonly base: string;
}

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

interface Stage {
  readonly root: string;
  readonly base: string;
  readonly env: Record<string, string>;
  workdir: string;
  entrypoint: readonly string[];
}

/** Carries out the project's Dockerfile, in folders below `folder`. */
export function buildImage(folder: string): Image {
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const { word, rest } of instructions()) {
    if (word === 'FROM') stage = begin(folder, rest, stages);
    else if (stage !== undefined) carryOut(stage, { word, rest }, stages);
  }
  if (stage === undefined) throw new Error('the Dockerfile has no stage');
  for (const file of [process.execPath, ...librariesOf(process.execPath)]) bring(file, stage.root);
  return stage;
}

/** Without comments, and with each ARG's default filled in. */
function instructions(): readonly Instruction[] {
  const text = readFileSync(join(PROJECT, 'Dockerfile'), 'utf8').replaceAll('\\\n', ' ');
  const defaults = new Map([...text.matchAll(/^ARG (\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
  const lines = text.replace(/\$\{(\w+)\}/g, (_, name: string) => defaults.get(name) ?? '').split('\n');
  return lines.flatMap((line) => {
    const [, word, rest = ''] = /^([A-Z]+)\s+(.*?)\s*$/.exec(line) ?? [];
    return word === undefined || word === 'ARG' ? [] : [{ word, rest }];
  });
}

function begin(folder: string, rest: string, stages: Map<string, Stage>): Stage {
  const [base = '', , name = 'image'] = rest.split(' ');
  const stage: Stage = { root: join(folder, name), base, env: {}, workdir: '/', entrypoint: [] };
  mkdirSync(stage.root, { recursive: true });
  stages.set(name, stage);
  return stage;
}

function carryOut(stage: Stage, { word, rest }: Instruction, stages: ReadonlyMap<string, Stage>): void {
  if (word === 'WORKDIR') stage.workdir = rest;
  else if (word === 'COPY') copy(stage, rest, stages);
  else if (word === 'RUN') run(stage, rest);
  else if (word === 'ENV') Object.assign(stage.env, Object.fromEntries(rest.split(' ').map((pair) => pair.split('='))));
  else if (word === 'ENTRYPOINT') stage.entrypoint = JSON.parse(rest) as string[];
  else if (word !== 'EXPOSE') throw new Error(`what would an engine do with ${word}?`);
}

function copy(stage: Stage, rest: string, stages: ReadonlyMap<string, Stage>): void {
  const from = /^--from=(\S+) /.exec(rest);
  const sources = rest.slice(from?.[0].length ?? 0).split(' ');
  const target = join(stage.root, stage.workdir, sources.pop() ?? '');
  for (const source of sources) {
    const file = from ? join(stages.get(from[1] ?? '')?.root ?? '', source) : inContext(source);
    // Of a file, a target with a slash at its end is the folder; of a folder, its content goes into the target.
    cpSync(file, target.endsWith('/') ? join(target, basename(source)) : target, { recursive: true });
  }
}

/** .dockerignore here keeps out all but what it names: a file that it forgets would be missing in the real build. */
function inContext(source: string): string {
  const allowed = readFileSync(join(PROJECT, '.dockerignore'), 'utf8').split('\n');
  if (allowed[0] !== '*' || !allowed.some((line) => line === `!${source}`)) {
    throw new Error(`.dockerignore keeps ${source} out of the build`);
  }
  return join(PROJECT, source);
}

function run(stage: Stage, command: string): void {
  const cwd = join(stage.root, stage.workdir);
  symlinkSync(NODE_MODULES, join(cwd, 'node_modules'));
  const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter);
  execFileSync('sh', ['-c', command], { cwd, env: { PATH, HOME: cwd }, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** The loader knows; the one without a file is the kernel's own. */
export function librariesOf(program: string): readonly string[] {
  const said = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...said.matchAll(/(\/\S+) \(0x/g)].map(([, file = '']) => file);
}

/** `node` goes where the official image has it, a library stays where the loader looks for it. */
export function bring(file: string, root: string): string {
  const place = file.includes('.so') ? file : join('/usr/local/bin', basename(file));
  const target = join(root, place);
  mkdirSync(dirname(target), { recursive: true });
  if (!existsSync(target)) copyFileSync(file, target, constants.COPYFILE_FICLONE);
  return place;
}
