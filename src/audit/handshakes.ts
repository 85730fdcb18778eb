/**
 * What a server agrees to: each protocol version, and in each every cipher suite, in the order of its choice.
 *
 * All suites are offered, the one it takes is struck off, and it is asked again until it takes none. The versions are asked
 * about side by side, so there are never more connections at once than versions.
 */
import { randomBytes } from 'node:crypto';
import { mapBounded } from '../bounded.ts';
import { type Answer, isSslv2Hello, readAnswer } from './answer.ts';
import { type Asking, ask, type Place, Unreachable } from './ask.ts';
import { clientHello, sslv2Hello, VERSION_CODES, VERSIONS, type Version } from './hello.ts';
import { SUITES, type Suite, suiteOf } from './suites.ts';

export interface VersionFacts {
  readonly version: Version;
  /** Not empty; the first is what it takes when all are offered. */
  readonly suites: readonly Suite[];
  readonly compressed: boolean;
  /** TLS 1.3 has no renegotiation that could be insecure. */
  readonly secureRenegotiation: boolean;
  /** Primes of its DHE key exchanges, in bits. */
  readonly dhBits: readonly number[];
  /** IANA's numbers of the curves and groups that it chose. */
  readonly groups: readonly number[];
  /** Every chain that it showed, leaf first. */
  readonly chains: readonly (readonly Buffer[])[];
}

export interface Handshakes {
  readonly sslv2: boolean;
  /** Newest first; those that it agreed to. */
  readonly versions: readonly VersionFacts[];
  /** It let these hellos time out: counted as not offered. */
  readonly silentTo: readonly string[];
}

/** At once: it is somebody's production load balancer, and may have one core. */
const AT_ONCE = 4;

type Outcome = { readonly version: Version; readonly facts?: VersionFacts; readonly silent: boolean };

export async function handshakesOf(
  place: Place,
  name: string,
  asking: Asking,
  onProgress: (done: string) => void,
): Promise<Handshakes> {
  const [oldest, ...outcomes] = await mapBounded([undefined, ...VERSIONS], AT_ONCE, async (version) => {
    const outcome =
      version === undefined ? await sslv2(place, asking) : await enumerate(place, { version, name }, asking);
    onProgress(version ?? 'SSLv2');
    return outcome;
  });
  const byVersion = outcomes as readonly Outcome[];
  const first = oldest as { readonly offered: boolean; readonly silent: boolean };
  return {
    sslv2: first.offered,
    versions: byVersion.flatMap(({ facts }) => (facts === undefined ? [] : [facts])),
    silentTo: [
      ...byVersion.flatMap(({ version, silent }) => (silent ? [version] : [])),
      ...(first.silent ? ['SSLv2'] : []),
    ],
  };
}

async function sslv2(place: Place, asking: Asking): Promise<{ offered: boolean; silent: boolean }> {
  const { bytes, silent } = await ask(place, sslv2Hello(randomBytes(16)), (heard) => heard.length >= 7, asking);
  return { offered: isSslv2Hello(bytes), silent };
}

async function enumerate(
  place: Place,
  { version, name }: { readonly version: Version; readonly name: string },
  asking: Asking,
): Promise<Outcome> {
  const left = new Set(suitesFor(version));
  const taken: { readonly suite: Suite; readonly answer: Answer }[] = [];
  while (left.size > 0) {
    const hello = clientHello({ version, name, suites: [...left], random: randomBytes(64) });
    const { bytes, silent } = await again(() => ask(place, hello, (heard) => readAnswer(heard).complete, asking));
    const answer = readAnswer(bytes);
    const suite = taken.length === 0 && silent ? undefined : agreedOn(answer, version, left);
    if (suite === undefined) return outcome(version, taken, taken.length === 0 && silent && bytes.length === 0);
    left.delete(suite.code);
    taken.push({ suite, answer });
  }
  return outcome(version, taken, false);
}

/** A server that limits connections may refuse one in a hundred: once more, and then it is told. */
async function again<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof Unreachable) return attempt();
    throw error;
  }
}

function agreedOn({ hello, alert }: Answer, version: Version, offered: ReadonlySet<number>): Suite | undefined {
  const agreed = hello?.version === VERSION_CODES[version] && alert === undefined && offered.has(hello.suite);
  return agreed ? suiteOf(hello.suite) : undefined;
}

/** An older version cannot take a newer one's suites, and 1.3 has its own. */
function suitesFor(version: Version): readonly number[] {
  const since = { 'TLSv1.3': ['TLSv1.3'], 'TLSv1.2': ['TLSv1.2', 'SSLv3'] }[version as string] ?? ['SSLv3'];
  return SUITES.filter((suite) => since.includes(suite.since)).map(({ code }) => code);
}

function outcome(
  version: Version,
  taken: readonly { readonly suite: Suite; readonly answer: Answer }[],
  silent: boolean,
): Outcome {
  const [first] = taken;
  if (first === undefined) return { version, silent };
  const answers = taken.map(({ answer }) => answer);
  return {
    version,
    silent,
    facts: {
      version,
      suites: taken.map(({ suite }) => suite),
      compressed: answers.some(({ hello }) => hello?.compressed),
      secureRenegotiation: version === 'TLSv1.3' || first.answer.hello?.secureRenegotiation === true,
      dhBits: [...new Set(answers.flatMap(({ dhBits }) => dhBits ?? []))],
      groups: [...new Set(answers.flatMap(({ group, hello }) => group ?? hello?.group ?? []))],
      chains: distinct(answers.flatMap(({ chain }) => (chain && chain.length > 0 ? [chain] : []))),
    },
  };
}

/** By the leaf: the same certificate is shown with every suite that can use it. */
function distinct(chains: readonly (readonly Buffer[])[]): readonly (readonly Buffer[])[] {
  return [...new Map(chains.map((chain) => [chain[0]?.toString('base64'), chain])).values()];
}
