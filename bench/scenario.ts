/** What is measured: how many names, which key, which CA, how often, and by whom. */
import type { KeyType } from '../src/certificates/spec.ts';
import type { PebbleOptions } from '../test/support/pebble.ts';

export interface Cell {
  readonly title: string;
  readonly names: number;
  readonly keyType: KeyType;
  readonly ca: Pick<PebbleOptions, 'strictness' | 'nonceReject'>;
  readonly runs: number;
  /** Runs beside each other, each with a CA of its own: where the CA sleeps most of the time. */
  readonly lanes: number;
  /** Who takes part besides ours and the floor. */
  readonly peers: 'all' | readonly string[];
}

/** No sleep before a validation, no nonce refused. */
const BEST = { strictness: 'calm' } as const;
/** Up to three validations a name, each after 0 to 5 s; of a hundred good nonces five are refused. */
const DEFAULTS = { strictness: 'defaults' } as const;

const title = (names: number, keyType: KeyType, ca: string): string =>
  `${names} name${names === 1 ? '' : 's'}, ${keyType}, ${ca}`;

function best(names: number, keyType: KeyType, runs: number, peers: Cell['peers']): Cell {
  return { title: title(names, keyType, 'best-case CA'), names, keyType, ca: BEST, runs, lanes: 1, peers };
}

/** certbot gives up where a nonce is refused twice in a row, which with a hundred names it is. */
function slow(names: number, runs: number, lanes: number, peers: Cell['peers']): Cell {
  return {
    title: title(names, 'ec256', 'CA at its defaults'),
    names,
    keyType: 'ec256',
    ca: DEFAULTS,
    runs,
    lanes,
    peers,
  };
}

function refusing(names: number, runs: number, lanes: number, peers: Cell['peers']): Cell {
  const ca = { ...DEFAULTS, nonceReject: 40 };
  const what = 'CA at its defaults, 40 % of the nonces refused';
  return { title: title(names, 'ec256', what), names, keyType: 'ec256', ca, runs, lanes, peers };
}

export const FULL: readonly Cell[] = [
  best(1, 'ec256', 5, 'all'),
  best(10, 'ec256', 5, 'all'),
  best(100, 'ec256', 5, 'all'),
  best(1, 'rsa4096', 5, ['certbot', 'uacme', 'acme-tiny']),
  best(10, 'rsa4096', 5, []),
  best(100, 'rsa4096', 5, []),
  slow(10, 5, 5, ['certbot']),
  slow(100, 20, 5, []),
  refusing(10, 5, 5, ['certbot']),
  refusing(100, 20, 5, []),
];

export const QUICK: readonly Cell[] = [
  best(1, 'ec256', 2, ['certbot', 'uacme', 'acme-tiny', 'caddy (a certificate a name)']),
  best(100, 'ec256', 2, ['certbot']),
  slow(100, 4, 4, []),
  refusing(100, 4, 4, []),
];
