/** Which name a CA means that refuses a set of names and names none: found with few requests, and never at a guess. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNameless, withCulprit } from '../../src/acme/culprit.ts';
import { type AcmeError, refusal } from '../../src/acme/problem.ts';

const NS = 'urn:ietf:params:acme:error:';
const names = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => `n${n}.example`);

function refused(detail = 'one of these is forbidden', type = 'rejectedIdentifier', status = 400): AcmeError {
  return refusal({ status, data: { type: NS + type, detail }, retryAfter: undefined }, 'newOrder at ca.example');
}

/** A CA that refuses every set with one of these in it. */
function refusing(bad: readonly string[]) {
  const asked: (readonly string[])[] = [];
  const refusalOf = async (set: readonly string[]): Promise<AcmeError | undefined> => {
    asked.push(set);
    return set.some((name) => bad.includes(name)) ? refused() : undefined;
  };
  return { asked, refusalOf };
}

test('wherever it stands among up to a hundred names, the one is found with seven requests at the most', async () => {
  let most = 0;
  for (const count of [1, 2, 3, 7, 10, 64, 99, 100]) {
    const set = names(count);
    for (const bad of set) {
      const { asked, refusalOf } = refusing([bad]);
      const error = await withCulprit(refused(), set, refusalOf);
      assert.deepEqual(error.domains, [bad]);
      assert.ok(!asked.some((half) => half.length === 0), 'an order of nothing');
      most = Math.max(most, asked.length);
    }
  }
  assert.equal(most, 7);
});

test('of several bad names one that is bad is found, and none that is good', async () => {
  const set = names(20);
  for (let first = 0; first < 20; first++) {
    const bad = [`n${first}.example`, `n${(first * 7 + 3) % 20}.example`];
    const error = await withCulprit(refused(), set, refusing(bad).refusalOf);
    assert.ok(
      error.domains.every((name) => bad.includes(name)),
      `${error.domains} of ${bad}`,
    );
  }
});

test('a CA that refuses all, whoever is asked for: nobody is blamed', async () => {
  const first = refused();
  assert.equal(await withCulprit(first, names(8), refusing(names(8)).refusalOf), first);
});

test('a half that is refused with a name in it: that is the answer', async () => {
  const named = refused('Cannot issue for "n1.example": no');
  const error = await withCulprit(refused(), names(4), async () => named);
  assert.deepEqual(error.domains, ['n1.example']);
});

test('a half that is refused for quite another reason ends the search', async () => {
  const first = refused();
  const limited = refused('too many new orders', 'rateLimited', 429);
  assert.equal(await withCulprit(first, names(4), async () => limited), first);
});

const others: readonly { readonly name: string; readonly error: Error }[] = [
  { name: 'a rate limit', error: refused('slow down', 'rateLimited', 429) },
  { name: 'a pause without names', error: refused('you are paused', 'rateLimited', 429) },
  { name: 'an inner error', error: refused('oops', 'serverInternal', 500) },
  { name: 'too many names', error: refused('Order cannot contain more than 25 identifiers', 'malformed') },
  { name: 'a name that is named', error: refused('Cannot issue for "n0.example": no') },
  { name: 'something of ours', error: new Error('the state folder cannot be written') },
];
for (const { name, error } of others) {
  test(`no name is looked for after ${name}`, () => assert.equal(isNameless(error, names(4)), false));
}
