/**
 * One line that says what is waited for, when it takes longer than a second: on standard error, on a terminal only, and
 * gone when it is over, so that what is printed is the same as without it.
 */
const PATIENCE_MS = 1_000;
const EVERY_MS = 250;
const ERASE = '\r\x1b[2K';

export interface Window {
  readonly err: (text: string) => void;
  readonly terminal: { readonly err: boolean; readonly columns: number };
}

/** `what` is asked each time, for it may be another thing by then. */
export async function showingProgress<T>(
  { err, terminal }: Window,
  what: () => string,
  work: () => Promise<T>,
): Promise<T> {
  if (!terminal.err) return work();
  const begun = performance.now();
  let isShown = false;
  const timer = setInterval(() => {
    const waitedMs = performance.now() - begun;
    if (waitedMs < PATIENCE_MS) return;
    isShown = true;
    const line = `${Math.floor(waitedMs / 1_000)} s: ${what()}`;
    err(`${ERASE}${line.slice(0, terminal.columns - 1)}`); // a full line would be two, of which one is erased
  }, EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    if (isShown) err(ERASE);
  }
}
