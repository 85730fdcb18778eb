/**
 * The leak sweep: no private key, token, password or account key in anything that a person could read.
 *
 * Two ways of looking. What secrets look like: PEM labels, JWTs, `token=`, credentials. And what the secrets of this
 * very test are: every key found in state folders, certificates and variables, in each form in which it could be printed.
 * `startCluster` sweeps all that its tasks wrote and answered, whatever the story was about; test/integration/sweep.test.ts
 * proves that it fails on a leak of each kind. What it says of a leak never repeats the leak.
 */
import { createHash, createPrivateKey } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Something that came out, and where. */
export interface Output {
  readonly from: string;
  readonly text: string;
}

/** Secret text → what it is. */
export type Secrets = ReadonlyMap<string, string>;

/** Shorter ones stand in ordinary words by chance. */
const SHORTEST = 8;
/** What was masked is no leak. */
const HIDDEN = String.raw`(?!\*{3}|\[)`;

const SHAPES: readonly (readonly [string, RegExp])[] = [
  ['the label of a private key', /PRIVATE KEY/],
  ['a JWT', /\beyJ[\w-]{8,}/],
  ['a token', new RegExp(String.raw`token=${HIDDEN}[^\s"'&\\]+`, 'i')],
  ['credentials', new RegExp(String.raw`\b(?:Basic|Bearer) +${HIDDEN}(?=\S*[A-Z0-9=])[A-Za-z0-9+/=._~-]{8,}`)],
  ['a password in a URL', new RegExp(String.raw`://${HIDDEN}[^\s/@"'\\]*:[^\s/@"'\\]+@`)],
  ['the private part of a JWK', /\\*"(?:d|p|q|dp|dq|qi|k)\\*"\s*:\s*\\*"[\w-]{20,}/],
];

/** A sentence for each leak. */
export function leaksIn(outputs: readonly Output[], secrets: Secrets): readonly string[] {
  return outputs.flatMap(({ from, text }) => {
    const shapes = SHAPES.filter(([, shape]) => shape.test(text)).map(([what]) => what);
    const known = [...secrets].filter(([secret]) => text.includes(secret)).map(([, what]) => what);
    return [...new Set([...shapes, ...known])].map((what) => `${what} in ${from}`);
  });
}

export function assertNoLeaks(outputs: readonly Output[], secrets: Secrets = new Map()): void {
  const leaks = leaksIn(outputs, secrets);
  if (leaks.length > 0) throw new Error(`secrets came out:\n${leaks.join('\n')}`);
}

// Which secrets there are

/** Every private key in a text: a PEM, JSON that holds one, an env. */
export function keysIn(text: string): Secrets {
  const plain = text.replaceAll('\\r', '').replaceAll('\\n', '\n');
  const keys = plain.match(/-----BEGIN ([A-Z ]*)PRIVATE KEY-----[\s\S]+?-----END \1PRIVATE KEY-----/g) ?? [];
  return new Map(keys.flatMap((pem) => [...formsOf(pem)]));
}

/** The values of variables whose names say that they are secret, and the passwords in URLs. */
export function secretsOf(env: Readonly<Record<string, unknown>>): Secrets {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(env)) {
    if (typeof value !== 'string') continue;
    for (const [secret, what] of keysIn(value)) found.set(secret, what);
    const password = /^https?:/.test(value) ? URL.parse(value)?.password : undefined;
    const isSecret = /PASSWORD|TOKEN|SECRET|CREDENTIAL|WEBHOOK_URL/.test(name);
    for (const secret of [password, isSecret ? value : undefined])
      if (secret !== undefined && secret.length >= SHORTEST) found.set(secret, `the value of ${name}`);
  }
  return found;
}

/** All that one key could be printed as. */
function* formsOf(pem: string): Iterable<readonly [string, string]> {
  const lines = pem.split('\n').map((line) => line.trim());
  for (const line of lines.slice(1, -1)) if (line.length >= 32) yield [line, 'a line of a private key'];
  try {
    const key = createPrivateKey(pem);
    const { d = '', p, q, dp, dq, qi, ...open } = key.export({ format: 'jwk' });
    for (const part of [d, p, q, dp, dq, qi]) if (part !== undefined) yield [part, 'the private part of a key'];
    const bytes = Buffer.from(d, 'base64url');
    yield [bytes.toString('hex'), 'the private part of a key'];
    yield [key.export({ type: 'pkcs8', format: 'der' }).toString('base64'), 'a whole private key'];
    yield [thumbprintOf(open), 'the thumbprint of an account key'];
  } catch {
    // A key that node:crypto cannot read has its lines at least.
  }
}

/** RFC 7638: what turns a token into a key authorization (RFC 8555 §8.1). */
function thumbprintOf(jwk: Readonly<Record<string, unknown>>): string {
  const members = ['crv', 'e', 'kty', 'n', 'x', 'y'].filter((name) => name in jwk).map((name) => [name, jwk[name]]);
  return createHash('sha256')
    .update(JSON.stringify(Object.fromEntries(members)))
    .digest('base64url');
}

// Where tasks write

const OUTPUTS = ['stdout', 'stderr'];
const LARGEST_BYTES = 4_000_000;

/** What all tasks under this folder printed. */
export async function printedIn(folder: string): Promise<readonly Output[]> {
  const files = (await filesIn(folder)).filter((file) => OUTPUTS.some((name) => file.endsWith(`/${name}`)));
  return Promise.all(files.map(async (from) => ({ from, text: await readFile(from, 'utf8').catch(() => '') })));
}

/** The keys in every other file under this folder: state, certificates, configuration. */
export async function keysUnder(folder: string): Promise<Secrets> {
  const found = new Map<string, string>();
  for (const file of await filesIn(folder)) {
    if (OUTPUTS.some((name) => file.endsWith(`/${name}`))) continue;
    const text = await readSmall(file).catch(() => '');
    for (const [secret, what] of keysIn(text)) found.set(secret, what);
  }
  return found;
}

/** Those that can be read to an end: a fifo or a socket cannot. */
async function filesIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}

async function readSmall(file: string): Promise<string> {
  return (await stat(file)).size > LARGEST_BYTES ? '' : readFile(file, 'utf8');
}
