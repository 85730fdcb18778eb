/** JSON that was right once: each value may be gone, another's, of another type, or deep and strange. */
import fc from 'fast-check';

export type Mutation = (value: unknown) => unknown;

const strange = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 1e308, 80.5, '', '/', 'x', [], {}, [[]], [null], { id: 1 }),
  fc.constant(`-----BEGIN PRIVATE KEY-----\n${'A'.repeat(64)}`),
  fc.constant('\u001b[2J\r\n'),
  fc.constant('9'.repeat(5_000)),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constant(JSON.parse(`${'['.repeat(1_000)}${']'.repeat(1_000)}`)),
);

/** Where it strikes: at each value with this chance; what with. */
const strike = fc.record({
  at: fc.integer({ min: 0, max: 400 }),
  how: fc.constantFrom('drop', 'replace', 'double', 'swap'),
  by: strange,
});

/** A few strikes, counted over all values from the root on. */
export const mutations: fc.Arbitrary<Mutation> = fc.array(strike, { maxLength: 5 }).map((strikes) => (value) => {
  let position = -1;
  const walk = (here: unknown): unknown => {
    position += 1;
    const hit = strikes.find(({ at }) => at === position);
    if (hit?.how === 'replace') return hit.by;
    if (Array.isArray(here)) {
      const items = here.map(walk);
      return hit?.how === 'drop' ? items.slice(1) : hit?.how === 'double' ? [...items, ...items] : items;
    }
    if (typeof here !== 'object' || here === null) return hit?.how === 'swap' ? [here] : here;
    const entries = Object.entries(here).map(([key, one]) => [key, walk(one)] as const);
    return Object.fromEntries(hit?.how === 'drop' ? entries.slice(1) : entries);
  };
  return walk(value);
});
