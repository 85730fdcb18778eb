/**
 * `npm run sbom`: the bill of materials as CycloneDX JSON, on standard output.
 *
 * npm lists the packages, with versions, licences and hashes, as the lockfile has them; of these, what the production dependencies
 * lead to is kept. (`--omit dev` would leave out what development names as well, such as fastify's ajv.) The rest is from the
 * Dockerfile: the Node that runs them, and the image below it, whose Debian packages are not listed, which is said
 * (`compositions`): their list is the engine's to make, once the image is built.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PROJECT = join(import.meta.dirname, '..', '..');

interface Bom {
  readonly metadata: { readonly component: Readonly<Record<string, unknown>> };
  readonly components: readonly Readonly<Record<string, unknown>>[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

function packages(): Bom {
  const { npm_execpath: npm } = process.env;
  const [command, ...before] = npm === undefined ? ['npm'] : [process.execPath, npm];
  const args = [...before, 'sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
  const { status, stdout, stderr } = spawnSync(command ?? 'npm', args, { cwd: PROJECT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm 9.8 or later is needed, for \`npm sbom\`: ${stderr}`);
  return JSON.parse(stdout) as Bom;
}

/** What the image has below the packages. */
function layers(): {
  readonly node: Readonly<Record<string, unknown>>;
  readonly base: Readonly<Record<string, unknown>>;
} {
  const dockerfile = readFileSync(join(PROJECT, 'Dockerfile'), 'utf8');
  const [, version = ''] = /^ARG NODE=(.*)$/m.exec(dockerfile) ?? [];
  const [, tagged = ''] = [...dockerfile.matchAll(/^FROM node:(\S+)/gm)].at(-1) ?? [];
  const tag = tagged.replace(/\$\{NODE\}/, version);
  const node = {
    'bom-ref': `node@${version}`,
    type: 'platform',
    name: 'node',
    version,
    purl: `pkg:generic/node@${version}`,
  };
  const base = {
    'bom-ref': `docker/node@${tag}`,
    type: 'container',
    name: 'node',
    version: tag,
    purl: `pkg:docker/node@${tag}`,
  };
  return { node: { ...node, licenses: [{ license: { id: 'MIT' } }] }, base };
}

/** Without what only development uses. */
function ofProduction(bom: Bom): Bom {
  const { dependencies } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
    dependencies: Readonly<Record<string, string>>;
  };
  const needs = new Map(bom.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]));
  const direct = Object.entries(dependencies).map(([name, version]) => `${name}@${version}`);
  const kept = new Set<string>(direct);
  for (const ref of kept) for (const next of needs.get(ref) ?? []) kept.add(next);
  const own = String(bom.metadata.component['bom-ref']);
  return {
    ...bom,
    components: bom.components.filter((component) => kept.has(String(component['bom-ref']))),
    dependencies: [{ ref: own, dependsOn: direct }, ...bom.dependencies.filter(({ ref }) => kept.has(ref))],
  };
}

function ofTheImage(bom: Bom): object {
  const { node, base } = layers();
  const refs = [node, base].map((layer) => String(layer['bom-ref']));
  const [own, ...others] = bom.dependencies;
  return {
    ...bom,
    // npm names it after the folder that it lies in.
    metadata: {
      ...bom.metadata,
      component: { ...bom.metadata.component, name: 'letsencrypt-dcos', type: 'application' },
    },
    components: [...bom.components, node, base],
    dependencies: [
      { ...own, dependsOn: [...(own?.dependsOn ?? []), ...refs] },
      ...others,
      ...refs.map((ref) => ({ ref, dependsOn: [] })),
    ],
    compositions: [{ aggregate: 'incomplete', assemblies: [base['bom-ref']] }],
  };
}

process.stdout.write(`${JSON.stringify(ofTheImage(ofProduction(packages())), null, 2)}\n`);
