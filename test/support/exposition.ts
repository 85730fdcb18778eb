/**
 * A strict reader of Prometheus' text exposition format 0.0.4: what it does not know it refuses, with the line.
 *
 * Stricter than Prometheus itself, which forgives a missing HELP or TYPE: ours are there, before the samples, once.
 */
export interface Read {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"`;
const SAMPLE = new RegExp(
  String.raw`^(?<name>${NAME})(?:\{(?<labels>${LABEL}(?:,${LABEL})*)\})? (?<value>NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$`,
);

export function readExposition(text: string): ReadonlyMap<string, Read> {
  if (!text.endsWith('\n')) throw new Error('the last line must end with a line feed');
  const families = new Map<string, Read & { samples: Read['samples'][number][] }>();
  let current: string | undefined;
  let help: readonly [string, string] | undefined;
  const seen = new Set<string>();
  for (const line of text.slice(0, -1).split('\n')) {
    const refuse = (why: string): never => {
      throw new Error(`${why}: ${line}`);
    };
    const helped = new RegExp(String.raw`^# HELP (${NAME}) ((?:[^\\]|\\[\\n])+)$`).exec(line);
    const typed = new RegExp(`^# TYPE (${NAME}) (counter|gauge)$`).exec(line);
    if (helped?.[1] && helped[2]) {
      if (families.has(helped[1])) refuse('a second HELP');
      help = [helped[1], helped[2]];
    } else if (typed?.[1] && typed[2]) {
      if (help?.[0] !== typed[1]) refuse('a TYPE without its HELP before it');
      current = typed[1];
      families.set(current, { name: current, type: typed[2], help: help?.[1] ?? '', samples: [] });
    } else {
      const groups = SAMPLE.exec(line)?.groups ?? refuse('no sample');
      if (groups.name !== current) refuse('a sample that is not under its TYPE');
      const series = `${groups.name}{${groups.labels ?? ''}}`;
      if (seen.has(series)) refuse('a second sample of one series');
      seen.add(series);
      const value = Number(groups.value?.replace('Inf', 'Infinity'));
      families.get(current ?? '')?.samples.push({ labels: labelsIn(groups.labels ?? ''), value });
    }
  }
  for (const { name, samples } of families.values()) if (samples.length === 0) throw new Error(`${name} has no sample`);
  return families;
}

function labelsIn(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(new RegExp(LABEL, 'g'))].map(([pair]) => pair);
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name = '', escaped = ''] = /^([^=]+)="(.*)"$/s.exec(pair) ?? [];
      const value = escaped.replace(/\\(.)/g, (_all, char: string) => (char === 'n' ? '\n' : char));
      return [name, value] as const;
    }),
  );
}
