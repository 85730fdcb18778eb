/**
 * The same for each of many, a few at a time: a hundred names at two instances must neither flood a small load balancer
 * nor take a hundred round trips. Order of results = order of items; the first failure fails the whole.
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  atOnce: number,
  each: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results = new Array<R>(items.length);
  const queue = items.entries(); // one iterator, shared: each lane takes what is next
  const lane = async (): Promise<void> => {
    for (const [index, item] of queue) results[index] = await each(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
  return results;
}
