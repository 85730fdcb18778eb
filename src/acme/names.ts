/**
 * What DNS says of a name, asked of the servers that were set, else of the system's: never of /etc/hosts or a search
 * list, which no CA would know. Each question is asked once in a look, for many names lead to the same.
 */
import { Resolver } from 'node:dns/promises';
import type { CaaRecord } from './caa.ts';

/** `missing`: DNS says that there is nothing; `failed`: it does not say. */
export interface Found<T> {
  readonly records: readonly T[];
  readonly missing: 'NXDOMAIN' | 'no records' | undefined;
  readonly failed: string | undefined;
}
export interface Addresses {
  readonly v4: Found<string>;
  readonly v6: Found<string>;
}

const TRIES = 2;
const FAILURES: Readonly<Record<string, string>> = {
  ESERVFAIL: 'SERVFAIL',
  EREFUSED: 'REFUSED',
  ETIMEOUT: 'no answer in time',
  ECONNREFUSED: 'no DNS server answers',
  ECANCELLED: 'no answer in time',
};

export class Names {
  readonly #resolver: Resolver;
  readonly #addresses = new Map<string, Promise<Addresses>>();
  readonly #caa = new Map<string, Promise<Found<CaaRecord>>>();

  /** `timeoutMs` for the first question to a server; c-ares doubles it for the second. */
  constructor(options: { servers: readonly string[] | undefined; timeoutMs: number; signal: AbortSignal }) {
    this.#resolver = new Resolver({ timeout: options.timeoutMs, tries: TRIES });
    if (options.servers !== undefined) this.#resolver.setServers(options.servers);
    options.signal.addEventListener('abort', () => this.#resolver.cancel(), { once: true });
  }

  addresses(host: string): Promise<Addresses> {
    return once(this.#addresses, host, async () => {
      const [v4, v6] = await Promise.all([found(this.#resolver.resolve4(host)), found(this.#resolver.resolve6(host))]);
      return { v4, v6 };
    });
  }

  /** Of this name alone; the way up to the root is the caller's. */
  caa(name: string): Promise<Found<CaaRecord>> {
    return once(this.#caa, name, async () => {
      const { records, ...rest } = await found<object>(this.#resolver.resolveCaa(name));
      return { ...rest, records: records.flatMap(recordOf) };
    });
  }

  /** The name that this one is another name of, for telling. */
  async alias(host: string): Promise<string | undefined> {
    const { records } = await found(this.#resolver.resolveCname(host));
    return records[0];
  }
}

/** Node gives `{ critical: 128, issue: 'ca.example', type: 'CAA' }`, with whatever tag there is. */
function recordOf(raw: object): readonly CaaRecord[] {
  const { critical, type: _, ...tags } = raw as Readonly<Record<string, unknown>>;
  const flags = typeof critical === 'number' ? critical : 0;
  return Object.entries(tags).flatMap(([tag, value]) => (typeof value === 'string' ? [{ flags, tag, value }] : []));
}

async function found<T>(asked: Promise<readonly T[]>): Promise<Found<T>> {
  try {
    const records = await asked;
    return { records, missing: records.length === 0 ? 'no records' : undefined, failed: undefined };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOTFOUND') return { records: [], missing: 'NXDOMAIN', failed: undefined };
    if (code === 'ENODATA') return { records: [], missing: 'no records', failed: undefined };
    return { records: [], missing: undefined, failed: FAILURES[code] ?? code };
  }
}

function once<T>(kept: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const known = kept.get(key) ?? ask();
  kept.set(key, known);
  return known;
}
