/**
 * What the doctor found, for a person: what is wrong or doubtful first to the eye, by mark, colour and word, a line each
 * with its cure. What is the same for many names is told once, so that a hundred of them do not hide the one that is not.
 */
import type { Diagnosis, Health } from '../doctor/diagnosis.ts';
import { list } from '../plan/verdict.ts';
import { hanging, padded } from '../terminal/layout.ts';
import { type Style, sentence } from '../terminal/style.ts';
import type { Tone } from '../words.ts';

interface View {
  readonly now: Date;
  readonly style: Style;
}

const TONES: Readonly<Record<Health, Tone>> = { good: 'good', unknown: 'plain', warning: 'warn', wrong: 'bad' };

/** More than so many rows of one check that say the same become one. */
const TOLD_EACH = 2;

export function diagnosesAsText(all: readonly Diagnosis[], view: View): string {
  const width = Math.max(...all.map(({ check }) => check.length));
  const rows = together(all).map((one) => rowOf(one, width, view));
  return `${rows.join('')}\n${hanging('', summary(all, view), view.style)}`;
}

function rowOf({ check, subject, verdict, says, cure }: Diagnosis, width: number, { now, style }: View): string {
  const tone = TONES[verdict];
  const lead = style.paint(`${style.mark(tone)} ${padded(check, width)}`, tone);
  const told = hanging(`${lead}  `, `${subject}: ${sentence(says, now)}`, style);
  if (cure === undefined || verdict === 'good') return told;
  return told + hanging(`${' '.repeat(width + 2)}${style.isUnicode ? '→' : '>'} `, sentence(cure, now), style);
}

/** Each check's rows side by side in the order in which they came; what is said of many subjects is said once. */
function together(all: readonly Diagnosis[]): readonly Diagnosis[] {
  const checks = Map.groupBy(all, ({ check }) => check);
  return [...checks.values()].flatMap((rows) => {
    const groups = Map.groupBy(rows, ({ verdict, says, cure }) => JSON.stringify([verdict, gist(verdict, says), cure]));
    const merged = [...groups.values()].flatMap((alike) => merge(alike, rows.length));
    return merged.sort((a, b) => Number(b.verdict === 'good') - Number(a.verdict === 'good'));
  });
}

/** Which addresses they have is of no interest where all have some. */
function gist(verdict: Health, says: string): string {
  return verdict === 'good' ? says.replace(/^A .*, AAAA .*$/, 'has an address') : says;
}

/** "all 97" would be untrue beside three that are not. */
function merge(alike: readonly Diagnosis[], count: number): readonly Diagnosis[] {
  const [first] = alike;
  if (first === undefined || alike.length <= TOLD_EACH) return alike;
  const { verdict } = first;
  const good = alike.length === count ? `all ${count}` : `${alike.length} others`;
  const subject = verdict === 'good' ? good : list(alike.map((one) => one.subject));
  return [{ ...first, subject, says: gist(verdict, first.says) }];
}

/** The last line is what stays in sight. */
function summary(all: readonly Diagnosis[], { style }: View): string {
  const checks = (verdict: Health): string => {
    const found = all.filter((one) => one.verdict === verdict).map(({ check }) => check);
    return found.length === 0 ? '' : `${found.length} (${[...new Set(found)].join(', ')})`;
  };
  const [wrong, warnings, unknown] = [checks('wrong'), checks('warning'), checks('unknown')];
  const parts = [
    wrong === '' ? style.paint('nothing is wrong', 'good') : style.paint(`wrong: ${wrong}`, 'bad'),
    ...(warnings === '' ? [] : [style.paint(`to look after: ${warnings}`, 'warn')]),
    ...(unknown === '' ? [] : [`not to be told from here: ${unknown}`]),
    `of ${all.length} checks`,
  ];
  return parts.join('; ');
}
