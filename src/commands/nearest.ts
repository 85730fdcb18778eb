/** What a mistyped word was probably meant to be. */

/** The nearest of the words, if it is near enough to be no guess; undefined: none is. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  const most = typed.length < 4 ? 1 : 2;
  const ranked = words
    .map((word) => ({ word, by: distance(typed.toLowerCase(), word) }))
    .filter(({ by }) => by <= most)
    .sort((a, b) => a.by - b.by);
  return ranked[0]?.word ?? words.find((word) => typed.length >= 3 && word.startsWith(typed.toLowerCase()));
}

/** "There is no command 'plna': did you mean 'plan'?" */
export function unknown(kind: string, typed: string, words: readonly string[]): string {
  const meant = nearest(typed, words);
  return `There is no ${kind} '${typed}'${meant === undefined ? '.' : `: did you mean '${meant}'?`}`;
}

/** How many letters have to be added, taken away, changed or swapped with the next (Damerau and Levenshtein). */
function distance(a: string, b: string): number {
  const longest = 40;
  if (a.length > longest) return longest;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const [above = [], before] = [rows[i - 1], rows[i - 2]];
      const changed = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap && before !== undefined ? (before[j - 2] ?? 0) + 1 : longest;
      row.push(Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, changed, swapped));
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? longest;
}
