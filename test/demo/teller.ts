/**
 * How the story is told: a line with the time for people, or a line of JSON for programs. Never both.
 */

/** One thing that happened. `event` never varies for the same kind; the other fields are the facts. */
export interface Happening {
  readonly event: string;
  readonly [fact: string]: unknown;
}

export interface Teller {
  /** Something happened; `sentence` is for people. */
  tell(sentence: string, happening: Happening): void;
  /** What the story came to: the last line. */
  end(sentence: string, result: Readonly<Record<string, unknown>>): void;
}

type Write = (text: string) => void;

export function forPeople(write: Write): Teller {
  const startedAt = Date.now();
  const line = (sentence: string): void => write(`${seconds(Date.now() - startedAt).padStart(8)}  ${sentence}\n`);
  return { tell: line, end: (sentence) => write(`\n${sentence}\n`) };
}

export function forPrograms(write: Write): Teller {
  const startedAt = Date.now();
  return {
    tell: (_, happening) => write(`${JSON.stringify({ ...happening, atMs: Date.now() - startedAt })}\n`),
    end: (_, result) => write(`${JSON.stringify(result)}\n`),
  };
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
