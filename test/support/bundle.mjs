/**
 * The program as it is shipped: one entry and its parts, by esbuild; the folder is `--outdir=…`, dist unless told.
 *
 * In parts, because a command reads, and keeps in memory, only what it needs, and listens before it reads the rest. And
 * without what packages bring and we never call, which takes several times as long to load as what we do call. It is
 * replaced by nothing at all; whoever came to call it would get a TypeError.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** package → what it imports and we never call. What the package does with each when it is loaded has to work. */
const UNUSED = {
  // Its own client, certificates by hand and ASN.1.
  'acme-client': {
    axios: `
      const interceptors = { request: { use() {} }, response: { use() {} } };
      exports.create = () => ({ defaults: { headers: { common: {} } }, interceptors });`,
    '@peculiar/x509': 'exports.cryptoProvider = { set() {} };',
    asn1js: '',
    'node-forge': 'exports.pki = { rsa: { generateKeyPair() {} } };',
  },
  // HTTP/2 and forms; and fetch, for which it loads undici: 35 ms of CPU, 13 MiB.
  axios: { http2: '', 'form-data': 'module.exports = class {};', './fetch.js': 'exports.getFetch = () => false;' },
  // HTTP/2, and schemas: no route of ours has one.
  fastify: {
    'node:http2': '',
    '@fastify/ajv-compiler': 'module.exports = () => undefined;',
    '@fastify/fast-json-stringify-compiler': 'module.exports = () => undefined;',
  },
};

/** In axios, what makes undici be loaded just by being looked at. */
const FORM_DATA = "typeof G.FormData !== 'undefined' ? G.FormData : undefined";

const withoutUnused = {
  name: 'without what packages bring and we never call',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /./ }, ({ path, importer }) => {
      const [, name] = /[/\\]node_modules[/\\]([^/\\]+)[/\\](?!.*[/\\]node_modules[/\\])/.exec(importer) ?? [];
      const contents = UNUSED[name]?.[path];
      return contents === undefined
        ? undefined
        : { path: `${name}/${path}`, namespace: 'unused', pluginData: contents };
    });
    onLoad({ filter: /./, namespace: 'unused' }, ({ pluginData: contents }) => ({ contents }));
    onLoad({ filter: /[/\\]axios[/\\]lib[/\\]utils\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      if (!text.includes(FORM_DATA))
        throw new Error(`${path} looks for FormData in another way: is undici loaded again?`);
      return { contents: text.replace(FORM_DATA, 'undefined') };
    });
  },
};

/** `import base, { name, other as local } from "node:fs";` as esbuild writes it; packages leave out the `node:`. */
const IMPORT = /^import (?:\* as )?([\w$]+)?,? ?(?:\{([^}]*)\} )?from "([\w:/]+)";$/gm;

/**
 * Node's own modules by process.getBuiltinModule, which gives them as they are. An import statement makes Node read each of
 * their names, and among those of node:http is WebSocket, for which it loads undici.
 */
export const builtinsAsTheyAre = {
  name: "Node's own modules as they are",
  setup({ initialOptions, onEnd }) {
    initialOptions.write = false;
    onEnd(({ outputFiles = [] }) => {
      for (const { path, text } of outputFiles) {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text.replace(IMPORT, asItIs));
      }
    });
  },
};

function asItIs(statement, base, names, module) {
  if (!isBuiltin(module)) return statement;
  if (/\bdefault as\b/.test(names)) throw new Error(`not known how to take this in place: ${statement}`);
  const given = `process.getBuiltinModule("${module}")`;
  return [base && `const ${base} = ${given};`, names && `const {${names.replaceAll(' as ', ': ')}} = ${given};`]
    .filter(Boolean)
    .join(' ');
}

/** For the packages inside, which are CommonJS and ask for Node's own modules by require(). */
export const REQUIRE = {
  js: "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);",
};

/** Parts of a build before would only lie about. Afterwards, for what runs from there may still read those that are the same. */
function removeOthers(folder, written) {
  const ours = new Set(written.map((file) => basename(file)));
  for (const file of readdirSync(folder)) if (!ours.has(file)) rmSync(join(folder, file));
}

/** Resolves with what esbuild tells of the parts. */
export async function bundle(outdir) {
  const { metafile } = await build({
    ...{ absWorkingDir: root, entryPoints: ['src/main.ts'], outdir, metafile: true, logLevel: 'warning' },
    ...{ bundle: true, platform: 'node', target: 'node24', format: 'esm', splitting: true },
    ...{ chunkNames: 'parts/[name]-[hash]', outExtension: { '.js': '.mjs' }, define: { FormData: 'undefined' } },
    plugins: [withoutUnused, builtinsAsTheyAre],
    banner: REQUIRE,
  });
  removeOthers(join(outdir, 'parts'), Object.keys(metafile.outputs));
  return metafile;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { outdir } = parseArgs({ options: { outdir: { type: 'string', default: join(root, 'dist') } } }).values;
  await bundle(outdir);
}
